"""Scripted clients for trio: the same steps, on trio's clock, cancelled as trio users expect."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

import windsock
from tests.clients.helpers import DATAGRAMS, KINDS, STREAMS, TLS, Flood, each, serving
from tests.support.handlers import UpperLines
from windsock import Script, ScriptMismatch, ScriptTimeout, TrioClient, UsageError


def run(main: Callable[[], Awaitable[object]]) -> None:
    """Run it, for a few seconds at the most."""

    async def bounded() -> None:
        with trio.fail_after(10):
            await main()

    trio.run(bounded)


@each(KINDS)
def test_what_is_sent_comes_back(kind: str) -> None:
    with serving(kind).echo() as server:

        async def main() -> None:
            async with server.connect_trio() as client:
                await client.send(b"hello")
                await client.expect(b"hello")
                await client.play(Script().send(b"again").expect(b"again"))

                assert client.outcome == "open"
                assert client.peer == server.address
            assert client.outcome == "closed"

        run(main)


@each(STREAMS)
def test_the_end_of_the_other_side(kind: str) -> None:
    async def main() -> None:
        async with server.connect_trio() as client:
            await client.play(Script().send(b"one\n").half_close().expect(b"ONE\n").expect_eof())

            assert client.outcome == "eof"

    with serving(kind, UpperLines) as server:
        run(main)


@each(["tcp", "tls", "unix_stream"])
def test_more_than_the_kernel_takes_goes_both_ways(kind: str) -> None:
    async def main() -> None:
        async with server.connect_trio() as client:
            await client.play(Script().send(bytes(2_000_000)).expect(2_000_000))

    with serving(kind).echo() as server:
        run(main)


@each(["tcp", "udp"])
def test_any_address_will_do(kind: str) -> None:
    async def main() -> None:
        async with TrioClient(server.address, transport=kind) as client:
            await client.play(Script().send(b"hello").expect(b"hello"))

    with serving(kind).echo() as server:
        run(main)


def test_a_mock_clock_moves_it() -> None:
    begun: list[float] = []

    async def main() -> None:
        async with server.connect_trio(timeout=1000) as client:
            begun.append(trio.current_time())
            await client.pause(3600)
            with pytest.raises(ScriptTimeout, match="nothing came within 1"):
                await client.expect(b"x")
            begun.append(trio.current_time())

    with windsock.serving() as server:
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.01))

    assert begun[1] - begun[0] == pytest.approx(4600)


def test_a_mismatch_says_the_step() -> None:
    async def main() -> None:
        async with server.connect_trio(name="bob") as client:
            await client.send(b"x")
            with pytest.raises(ScriptMismatch, match=r"^bob, step 2, expect\(b'yes'\): "):
                await client.expect(b"yes")

    with windsock.serving() as server:
        server.on(b"x").reply(b"no")
        run(main)


@each(["tcp", "tls", "udp"])
def test_who_is_cancelled_has_a_closed_client(kind: str) -> None:
    async def main() -> None:
        async with server.connect_trio() as client:
            with trio.move_on_after(0.05) as scope:
                await client.expect(b"never")
            assert scope.cancelled_caught
            assert client.outcome == "closed"
            with pytest.raises(UsageError, match="closed"):
                await client.send(b"x")

    with serving(kind) as server:
        run(main)


def test_who_is_cancelled_while_sending_has_a_closed_client() -> None:
    class Deaf(UpperLines):
        def handle(self) -> None:
            done.wait(5)

    done = threading.Event()

    async def main() -> None:
        async with server.connect_trio(send_buffer=4096) as client:
            with trio.move_on_after(0.05):
                await client.send(bytes(20_000_000))
            assert client.outcome == "closed"
        done.set()

    with windsock.serving(Deaf, strict=False) as server:
        run(main)


@contextmanager
def deaf_with_tls() -> Iterator[windsock.RunningServer]:
    """A server that takes nothing."""
    done = threading.Event()

    class Deaf(UpperLines):
        def handle(self) -> None:
            done.wait(10)

    with windsock.serving(Deaf, tls=True, strict=False) as server:
        try:
            yield server
        finally:
            done.set()


def test_tls_that_the_other_end_takes_no_end_of_is_closed_after_a_second() -> None:
    seconds: list[float] = []

    async def main() -> None:
        client = server.connect_trio(send_buffer=4096, timeout=100)
        async with client:
            with pytest.raises(ScriptTimeout):
                await client.send(bytes(20_000_000))
            begun = trio.current_time()
        seconds.append(trio.current_time() - begun)
        assert client.socket.fileno() == -1

    with deaf_with_tls() as server:
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.05))

    assert seconds == [pytest.approx(1.0)]


def test_who_is_cancelled_while_tls_is_closed_does_not_wait() -> None:
    async def main() -> None:
        async with server.connect_trio(send_buffer=4096, timeout=0.2) as client:
            with pytest.raises(ScriptTimeout):
                await client.send(bytes(20_000_000))
            with trio.move_on_after(0) as scope:
                await client.aclose()

            assert scope.cancelled_caught
            assert client.socket.fileno() == -1

    with deaf_with_tls() as server:
        run(main)


def test_the_path_that_a_client_was_bound_to_is_removed(tmp_path: Path) -> None:
    async def main() -> None:
        async with server.connect_trio(source=path) as client:
            await client.play(Script().send(b"hello").expect(b"hello"))
            assert client.address == path
            assert client.datagrams == ()
            assert os.path.exists(path)
        assert not os.path.exists(path)

    path = str(tmp_path / "here")
    with windsock.serving(transport="unix_datagram").echo() as server:
        run(main)


def test_only_one_task_takes_a_step() -> None:
    async def main() -> None:
        async with server.connect_trio() as client, trio.open_nursery() as nursery:
            nursery.start_soon(client.pause, 5)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(UsageError, match="another task takes a step"):
                await client.send(b"x")
            nursery.cancel_scope.cancel()

    with windsock.serving() as server:
        run(main)


def test_a_trio_event_is_waited_for() -> None:
    async def main() -> None:
        event = trio.Event()
        async with server.connect_trio() as client, trio.open_nursery() as nursery:
            nursery.start_soon(client.wait_for, event)
            await trio.testing.wait_all_tasks_blocked()
            event.set()

    with windsock.serving() as server:
        run(main)


@each(["tcp", "forking", "selecting"])
def test_rude_steps(kind: str) -> None:
    async def main() -> None:
        async with server.connect_trio(receive_buffer=2048) as client:
            await client.play(Script().stall().pause(0.05).reset())
            assert client.outcome == "closed"
        async with server.connect_trio() as client:
            await client.reset(flush=True)

    with serving(kind, Flood) as server:
        run(main)


@each(TLS)
def test_tls_that_never_comes(kind: str) -> None:
    async def main() -> None:
        async with server.connect_trio(tls=False) as client:
            await client.play(Script().send(b"plain\r\n\r\n").expect_eof(discard=True))
        async with server.connect_trio(handshake=False) as client:
            await client.expect_silence(0.02)
            await client.start_tls()
            await client.play(Script().send(b"x\n").expect(b"X\n"))

    with serving(kind, UpperLines) as server:
        run(main)


def test_a_refused_certificate_is_an_outcome() -> None:
    async def main() -> None:
        async with server.connect_trio(certificate="missing") as client:
            await client.expect_reset()
            assert client.outcome == "TLS alert: certificate required"

    with windsock.serving(UpperLines, tls="mutual") as server:
        run(main)


@each(["tcp", "unix_stream", "unix_datagram"])
def test_where_nobody_listens(kind: str) -> None:
    async def main() -> None:
        with pytest.raises(windsock.ConnectFailed, match="refused"):
            async with server.connect_trio():
                pass

    with serving(kind) as server, server.outage():
        run(main)


def test_a_silent_server_ends_the_handshake_in_time() -> None:
    async def main() -> None:
        with pytest.raises(windsock.WaitTimeout, match=r"no handshake within 0\.1 s"):
            async with TrioClient(server.address, tls=True, timeout=0.1):
                pass

    with windsock.serving() as server:
        run(main)


@each(DATAGRAMS)
def test_steps_for_streams_are_refused_by_datagrams(kind: str) -> None:
    async def main() -> None:
        async with server.connect_trio() as client:
            with pytest.raises(UsageError, match="for streams"):
                await client.reset()

    with serving(kind) as server:
        run(main)


def test_a_client_that_is_not_connected_says_so() -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="async with"):
            await server.connect_trio().send(b"x")

    with windsock.serving() as server:
        run(main)


def test_a_client_that_nobody_has_any_more_leaves_nothing() -> None:
    async def main() -> None:
        client = server.connect_trio()
        await client.__aenter__()
        del client
        gc.collect()

    with windsock.serving() as server:
        run(main)


def test_faults_on_its_own_line_are_refused() -> None:
    cut = windsock.faults.Truncate(after_bytes=2, then="reset")

    with windsock.serving() as server, pytest.raises(UsageError, match=r"windsock\.proxy\(\)"):
        server.connect_trio(faults=[cut])
