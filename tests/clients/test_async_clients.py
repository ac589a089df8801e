"""Scripted clients for asyncio and trio: the same steps, awaited, in every event loop."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

import windsock
from tests.clients.helpers import DATAGRAMS, KINDS, STREAMS, TLS, Flood, each, serving
from tests.support.async_loops import ASYNCIO_LOOPS, LOOPS, run_in
from tests.support.handlers import UpperLines
from tests.support.waiting import HOUR
from windsock import AsyncioClient, Script, ScriptMismatch, TrioClient, UsageError
from windsock.net.async_loops import running_loop

Run = Callable[[Callable[[], Awaitable[object]]], object]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    """Run a function in a loop."""
    return lambda main: run_in(request.param, main)


def client_of(address: Any, **options: Any) -> Any:
    """Return a client for the loop that runs."""
    return {"asyncio": AsyncioClient, "trio": TrioClient}[running_loop()](address, **options)


def connect(server: windsock.RunningServer, **options: Any) -> Any:
    """Return a client of a server for the loop that runs."""
    return getattr(server, f"connect_{running_loop()}")(**options)


@each(KINDS)
def test_what_is_sent_comes_back(kind: str, run: Run) -> None:
    async def main() -> None:
        async with connect(server) as client:
            await client.send(b"hello")
            await client.expect(b"hello")
            await client.play(Script().send(b"again").expect(b"again"))
            assert (client.outcome, client.peer) == ("open", server.address)
        assert client.outcome == "closed"

    with serving(kind).echo() as server:
        run(main)


@each(STREAMS)
def test_the_end_of_the_other_side(kind: str, run: Run) -> None:
    async def main() -> None:
        async with connect(server) as client:
            await client.play(Script().send(b"one\n").half_close().expect(b"ONE\n").expect_eof())
            assert client.outcome == "eof"

    with serving(kind, UpperLines) as server:
        run(main)


@each(["tcp", "tls", "unix_stream"])
def test_more_than_the_kernel_takes_goes_both_ways(kind: str, run: Run) -> None:
    async def main() -> None:
        async with connect(server) as client:
            await client.play(Script().send(bytes(2_000_000)).expect(2_000_000))

    with serving(kind).echo() as server:
        run(main)


@each(["tcp", "udp"])
def test_a_proxy_in_between(kind: str, run: Run) -> None:
    async def main() -> None:
        async with client_of(proxy.address, transport=kind) as client:
            await client.play(Script().send(b"hello").expect(b"hello"))

    with serving(kind).echo() as server, windsock.proxy(server.address, transport=kind) as proxy:
        run(main)


@each(["tcp", "tls"])
def test_a_relay_with_faults(kind: str, run: Run) -> None:
    async def main() -> None:
        async with connect(server) as client:
            await client.play(Script().send(b"hello").expect(b"he").expect_reset())

    cut = windsock.faults.Truncate(after_bytes=2, then="reset")
    with serving("tcp", faults=[(cut, {"direction": "downstream"})]).echo() as server:
        run(main)


@pytest.mark.parametrize("loop", ASYNCIO_LOOPS)
def test_a_server_in_the_loop_and_its_clients_talk(loop: str) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n" + (await reader.readline()).upper())
        writer.close()

    async def talk(address: tuple[str, int]) -> None:
        async with AsyncioClient(address) as client:
            await client.play(Script().send(b"x\r\n").expect(b"220 hi\r\nX\r\n").expect_eof())

    async def main() -> None:
        async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
            address = server.sockets[0].getsockname()
            await asyncio.gather(*(talk(address) for _ in range(5)))

    run_in(loop, main)


def test_a_mismatch_says_the_step(run: Run) -> None:
    async def main() -> None:
        async with connect(server, name="bob") as client:
            await client.send(b"x")
            with pytest.raises(ScriptMismatch, match=r"^bob, step 2, expect\(b'yes'\): "):
                await client.expect(b"yes")

    with windsock.serving() as server:
        server.on(b"x").reply(b"no")
        run(main)


@each(["tcp", "tls", "udp"])
def test_who_is_cancelled_has_a_closed_client(kind: str, run: Run) -> None:
    async def main() -> None:
        tasks = len(anyio.get_running_tasks())
        async with connect(server) as client:
            with anyio.move_on_after(0.05) as scope:
                await client.expect(b"never")
            assert scope.cancelled_caught
            assert client.outcome == "closed"
            with pytest.raises(UsageError, match=r"server\.connect_\w+\(\)"):
                await client.send(b"x")
        assert len(anyio.get_running_tasks()) == tasks

    with serving(kind) as server:
        run(main)


def test_who_is_cancelled_while_it_connects_leaves_nothing(run: Run) -> None:
    async def main() -> None:
        with anyio.move_on_after(0.01) as scope:
            await connect(server, timeout=HOUR).__aenter__()
        assert scope.cancelled_caught

    full = windsock.faults.BacklogFull()
    with windsock.serving() as server, server.fault(full, allow_unfired=True):
        run(main)


@each(["tcp", "unix_stream"])
def test_a_connect_in_vain_ends_in_time(kind: str, run: Run) -> None:
    async def main() -> None:
        with pytest.raises(windsock.ConnectFailed, match=r"after 0\.05 s"):
            async with connect(server, timeout=0.05):
                pass

    with serving(kind) as server, server.fault(windsock.faults.BacklogFull(), allow_unfired=True):
        run(main)


@each(["tcp", "unix_stream", "unix_datagram"])
def test_where_nobody_listens(kind: str, run: Run) -> None:
    async def main() -> None:
        with pytest.raises(windsock.ConnectFailed, match="refused"):
            async with connect(server):
                pass

    with serving(kind) as server, server.outage():
        run(main)


def test_an_event_of_the_library_is_waited_for(run: Run) -> None:
    async def main() -> None:
        event: Any = trio.Event() if running_loop() == "trio" else asyncio.Event()
        async with connect(server) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.wait_for, event)
            await anyio.wait_all_tasks_blocked()
            event.set()

    with windsock.serving() as server:
        run(main)


@each(["tcp", "forking", "selecting"])
def test_rude_steps(kind: str, run: Run) -> None:
    async def main() -> None:
        async with connect(server, receive_buffer=2048) as client:
            await client.play(Script().stall().pause(0.05).reset())
            assert client.outcome == "closed"
        async with connect(server) as client:
            await client.reset(flush=True)

    with serving(kind, Flood) as server:
        run(main)


@each(TLS)
def test_tls_that_never_comes(kind: str, run: Run) -> None:
    async def main() -> None:
        async with connect(server, tls=False) as client:
            await client.play(Script().send(b"plain\r\n\r\n").expect_eof(discard=True))
        async with connect(server, handshake=False) as client:
            await client.expect_silence(0.02)
            await client.start_tls()
            await client.play(Script().send(b"x\n").expect(b"X\n"))

    with serving(kind, UpperLines) as server:
        run(main)


def test_a_silent_server_ends_the_handshake_in_time(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(windsock.WaitTimeout, match=r"no handshake within 0\.1 s"):
            async with client_of(server.address, tls=True, timeout=0.1):
                pass

    with windsock.serving() as server:
        run(main)


def test_the_path_that_a_client_was_bound_to_is_removed(tmp_path: Path, run: Run) -> None:
    async def main() -> None:
        async with connect(server, source=path) as client:
            await client.play(Script().send(b"hello").expect(b"hello"))
            assert os.path.exists(path)
        assert not os.path.exists(path)

    path = str(tmp_path / "here")
    with windsock.serving(transport="unix_datagram").echo() as server:
        run(main)


def test_only_one_task_takes_a_step(run: Run) -> None:
    async def main() -> None:
        async with connect(server) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.pause, 5)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(UsageError, match="another task takes a step"):
                await client.send(b"x")
            tasks.cancel_scope.cancel()

    with windsock.serving() as server:
        run(main)


def test_a_refused_certificate_is_an_outcome(run: Run) -> None:
    async def main() -> None:
        async with connect(server, certificate="missing") as client:
            await client.expect_reset()
            assert client.outcome == "TLS alert: certificate required"

    with windsock.serving(UpperLines, tls="mutual") as server:
        run(main)


def test_a_client_that_is_not_connected_says_so(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="async with"):
            await connect(server).send(b"x")

    with windsock.serving() as server:
        run(main)


@each(DATAGRAMS)
def test_steps_for_streams_are_refused_by_datagrams(kind: str, run: Run) -> None:
    async def main() -> None:
        async with connect(server) as client:
            with pytest.raises(UsageError, match="for streams"):
                await client.reset()

    with serving(kind) as server:
        run(main)


def test_a_client_that_has_no_reference_left_leaves_nothing(run: Run) -> None:
    async def main() -> None:
        client = connect(server)
        await client.__aenter__()
        del client
        gc.collect()

    with windsock.serving() as server:
        run(main)


def test_a_client_of_the_other_library_says_which_to_use() -> None:
    async def connect(client: AsyncioClient | TrioClient) -> None:
        async with client:
            raise AssertionError("it is connected")

    with windsock.serving() as server:
        with pytest.raises(UsageError, match=r"loop of asyncio, and here runs one of trio; use connect_trio\(\)"):
            run_in("trio", lambda: connect(server.connect_asyncio()))
        with pytest.raises(UsageError, match=r"loop of trio, and here runs one of asyncio; use connect_asyncio\(\)"):
            run_in("asyncio", lambda: connect(server.connect_trio()))
        with pytest.raises(UsageError, match=r"expected a loop of asyncio, and none runs here; use connect\(\)"):
            connect(server.connect_asyncio()).__await__().__next__()


def test_faults_on_its_own_line_are_refused() -> None:
    cut = windsock.faults.Truncate(after_bytes=2, then="reset")

    with windsock.serving() as server, pytest.raises(UsageError, match=r"of asyncio .*windsock\.proxy\(\)"):
        server.connect_asyncio(faults=[cut])
