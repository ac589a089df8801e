"""Servers and proxies whose clients are in the event loop: what ends them, or waits for them, lets the loop go on."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable

import anyio
import pytest

import windsock
from tests.support.async_loops import LOOPS, run_in
from tests.support.handlers import EchoBytes
from tests.support.waiting import HOUR, wait_until
from windsock import UsageError
from windsock.harness import CONCURRENCIES
from windsock.servers import BaseRequestHandler

pytestmark = pytest.mark.parametrize("loop", LOOPS)
SIZE = 10_000_000
"""Bytes that no two sockets hold: who sends them depends on who reads."""


class Full(BaseRequestHandler):
    """Sends a lot; the client has sent something that is not read before the end of that."""

    def handle(self) -> None:
        self.request.sendall(bytes(SIZE))
        self.request.recv(100)


def serving(concurrency: str = "threading", **options: object) -> windsock.RunningServer:
    return windsock.serving(Full, concurrency=concurrency, timeout=HOUR, **options)  # type: ignore[arg-type]


async def read_all(stream: anyio.abc.ByteStream) -> None:
    """Read all of it, or to an end before: what ends a connection does not wait until its client has read."""
    received = 1
    with contextlib.suppress(anyio.BrokenResourceError, anyio.EndOfStream):
        while received < SIZE:
            received += len(await stream.receive())
        await stream.aclose()


async def beside_a_client(address: tuple[str, int], wait: Callable[[], Awaitable[object]]) -> None:
    """Wait for what a client has to read for first; the client reads only while the loop goes on."""
    async with await anyio.connect_tcp(*address) as stream, anyio.create_task_group() as tasks:
        await stream.send(b"hello")
        await stream.receive(1)
        tasks.start_soon(read_all, stream)
        await wait()


WAITS: dict[str, Callable[[windsock.RunningServer], Awaitable[object]]] = {
    "drain": lambda server: server.drain_async(),
    "finish": lambda server: server.finish_async(),
    "async with": lambda server: server.__aexit__(None, None, None),
}


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_a_wait_for_handlers_lets_clients_in_the_loop_read(loop: str, concurrency: str, wait: str) -> None:
    server = serving(concurrency)

    run_in(loop, lambda: beside_a_client(server.address, lambda: WAITS[wait](server)))

    server.stop()
    assert len(server.connections[0].downstream) == SIZE


@pytest.mark.parametrize("wait", ["drain", "settle", "finish"])
def test_a_wait_for_a_proxy_lets_clients_in_the_loop_read(loop: str, wait: str) -> None:
    waits: dict[str, Callable[[], Awaitable[object]]] = {
        "drain": lambda: proxy.drain_async(),
        "settle": lambda: proxy.settle_async(HOUR),
        "finish": lambda: proxy.finish_async(),
    }

    with serving() as server, windsock.proxy(server.address, timeout=HOUR) as proxy:
        run_in(loop, lambda: beside_a_client(proxy.address, waits[wait]))

        assert wait != "finish" or proxy.is_stopped
        assert wait != "settle" or len(proxy.connections[0].downstream) == SIZE


def test_a_server_for_the_length_of_an_async_with(loop: str) -> None:
    async def main() -> None:
        async with windsock.serving(framing="lines") as server:
            server.on(b"hello").reply(b"hi\n", end="close")
            async with await anyio.connect_tcp(*server.address) as stream:
                await stream.send(b"hello\n")
                assert [each async for each in stream] == [b"hi\n"]
        assert server.is_stopped

    run_in(loop, main)


def test_the_end_of_an_async_with_raises_what_fails_the_test(loop: str) -> None:
    async def main() -> None:
        async with windsock.serving() as server:
            server.on(b"hello").reply(b"hi")

    with pytest.raises(ExceptionGroup, match="unmet") as caught:
        run_in(loop, main)

    assert caught.group_contains(windsock.Unmet)


def test_an_exception_that_leaves_an_async_with_has_the_transcript(loop: str) -> None:
    async def main() -> None:
        async with windsock.serving():
            raise LookupError("no such thing")

    with pytest.raises(LookupError) as caught:
        run_in(loop, main)

    assert any("ThreadingTCPServer" in each for each in caught.value.__notes__)


def test_who_is_cancelled_while_a_server_ends_has_it_ended_and_leaves_nothing(loop: str) -> None:
    async def main() -> None:
        async with await anyio.connect_tcp(*server.address) as stream:
            await stream.send(b"hello")
            await stream.receive(1)
            with anyio.move_on_after(0) as scope:
                await server.finish_async()
            assert scope.cancelled_caught
            assert server.is_stopped

    server = windsock.serving(Full, timeout=0.1, strict=False)
    threads = threading.active_count()
    run_in(loop, main)

    wait_until(lambda: threading.active_count() < threads, "the server's thread to end")


def outage(server: windsock.RunningServer) -> None:
    with server.outage():
        pass


def fault(server: windsock.RunningServer) -> None:
    with server.fault(windsock.faults.Delay(0), allow_unfired=True) as handle:
        handle.pause()
        handle.resume()
        _ = handle.fired, handle.log  # which wait for a relay that acts just now


SAFE: dict[str, Callable[[windsock.RunningServer], object]] = {
    "stop": lambda server: server.stop(),
    "outage": outage,
    "end_connections": lambda server: server.end_connections(),
    "fault": fault,
}


@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relayed"])
@pytest.mark.parametrize("call", SAFE)
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_what_does_not_wait_for_clients_may_block_their_loop(
    loop: str, concurrency: str, call: str, relay: bool
) -> None:
    """The client does not read, and cannot: the handler is in the middle of sending."""

    async def main() -> None:
        async with await anyio.connect_tcp(*server.address) as stream:
            await stream.send(b"hello")
            await stream.receive(1)
            SAFE[call](server)

    server = serving(concurrency, relay=relay, strict=False)
    run_in(loop, main)
    server.stop()


@pytest.mark.parametrize("call", ["disconnect", "stop", "end_connections"])
def test_what_does_not_wait_at_a_proxy_may_block_the_loop_too(loop: str, call: str) -> None:
    async def main() -> None:
        async with await anyio.connect_tcp(*proxy.address) as stream:
            await stream.send(b"hello")
            await stream.receive(1)
            getattr(proxy, call)()

    with serving(strict=False) as server:
        proxy = windsock.proxy(server.address, timeout=HOUR, strict=False)
        run_in(loop, main)
        proxy.stop()


@pytest.mark.parametrize("wait", WAITS)
def test_without_a_loop_there_is_nothing_to_wait_in(loop: str, wait: str) -> None:
    async def main() -> None:
        return

    run_in(loop, main)
    with windsock.serving(EchoBytes) as server, pytest.raises(UsageError, match=r"expected an event loop of asyncio"):
        WAITS[wait](server).__await__().__next__()


def test_a_client_in_the_loop_sees_an_outage_and_comes_back(loop: str) -> None:
    async def ask() -> bytes:
        async with await anyio.connect_tcp(*server.address) as stream:
            await stream.send(b"hello\n")
            answer: bytes = await stream.receive()
            return answer

    async def main() -> None:
        async with await anyio.connect_tcp(*server.address) as stream:
            await stream.send(b"hello\n")
            assert await stream.receive() == b"hi\n"
            with server.outage():
                assert [each async for each in stream] == []
                with pytest.raises(OSError, match=r"refused|connect"):
                    await ask()
            assert await ask() == b"hi\n"

    with windsock.serving(framing="lines") as server:
        server.on(b"hello").reply(b"hi\n")
        run_in(loop, main)


def test_connections_of_plain_sockets_count_as_well(loop: str) -> None:
    async def main() -> None:
        with socket.create_connection(server.address) as client:
            client.sendall(b"x")
            client.shutdown(socket.SHUT_WR)
            (connection,) = await server.connections.wait_async()
        assert connection.upstream == b"x"

    with windsock.serving(EchoBytes) as server:
        run_in(loop, main)
