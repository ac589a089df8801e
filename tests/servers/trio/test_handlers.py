"""What async handlers are: classes with any mix of async methods, and functions."""

from __future__ import annotations

import functools
import socket
from typing import Any

import pytest
import trio

import windsock
from tests.servers.trio.helpers import STREAM_SERVERS, EchoPacket, Quiet, run
from tests.support.handlers import EchoLines, EchoStream
from tests.support.servers import connect, exchange, rest_of
from windsock import servers
from windsock.servers.async_handlers import is_async


def serving(handler: Any, **options: Any) -> windsock.RunningServer:
    return windsock.serving(handler, concurrency="trio", **options)


def mixed(calls: list[str], asynchronous: str, failing: str = "") -> Any:
    """Return a handler class some of whose methods are async, and one of which may fail."""

    def method(name: str) -> Any:
        def plain(self: Any) -> None:
            calls.append(name)
            if name == failing:
                raise LookupError(f"in {name}")

        async def with_checkpoint(self: Any) -> None:
            await trio.lowlevel.checkpoint()
            plain(self)

        return with_checkpoint if name in asynchronous.split() else plain

    return type("Mixed", (servers.BaseRequestHandler,), {name: method(name) for name in ("setup", "handle", "finish")})


def test_the_stream_is_a_trio_socket_stream() -> None:
    kinds = []

    class Looks(EchoStream):
        async def handle(self) -> None:
            kinds.append(type(self.stream))
            kinds.append(type(self.request))

    with serving(Looks) as server, connect(server) as client:
        assert rest_of(client) == b""
    assert kinds == [trio.SocketStream, socket.socket]


@pytest.mark.parametrize("asynchronous", ["setup", "handle", "finish", "setup finish", "setup handle finish"])
def test_any_mix_of_async_methods_runs_in_order(asynchronous: str) -> None:
    calls: list[str] = []
    handler = mixed(calls, asynchronous)

    with serving(handler) as server, connect(server) as client:
        assert rest_of(client) == b""

    assert calls == ["setup", "handle", "finish"]


@pytest.mark.parametrize("asynchronous", ["handle", "setup handle finish"])
@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ("setup", ["setup"]),
        ("handle", ["setup", "handle", "finish"]),
        ("finish", ["setup", "handle", "finish"]),
    ],
)
def test_finish_is_called_when_handle_fails_but_not_when_setup_does(
    asynchronous: str, failing: str, expected: list[str]
) -> None:
    calls: list[str] = []
    handler = mixed(calls, asynchronous, failing)

    with serving(handler) as server:
        with connect(server) as client:
            assert rest_of(client) == b""
        assert [str(error) for error in server.errors.take()] == [f"in {failing}"]
        assert str(server.connections[0].error) == f"in {failing}"
    assert calls == expected


def test_an_async_function_is_a_handler() -> None:
    async def handler(stream: trio.SocketStream, client_address: Any, server: Any) -> None:
        assert client_address == stream.socket.getpeername()
        assert isinstance(server, servers.TrioTCPServer)
        await stream.send_all(b"from a function")

    with serving(handler) as server, connect(server) as client:
        assert rest_of(client) == b"from a function"


def test_an_async_function_answers_datagrams() -> None:
    async def handler(datagram: Any, client_address: Any, server: Any) -> None:
        await datagram.reply(datagram.packet[::-1])

    for transport in ("udp", "unix_datagram"):
        with serving(handler, transport=transport) as server, connect(server) as client:
            client.send(b"abc")
            assert client.recv(100) == b"cba"


def test_a_partial_and_an_object_with_an_async_call_are_handlers() -> None:
    async def handler(stream: trio.SocketStream, client_address: Any, server: Any, greeting: bytes) -> None:
        await stream.send_all(greeting)

    class Greeter:
        async def __call__(self, stream: trio.SocketStream, client_address: Any, server: Any) -> None:
            await stream.send_all(b"hi")

    for each in (functools.partial(handler, greeting=b"hi"), Greeter()):
        with serving(each) as server, connect(server) as client:
            assert rest_of(client) == b"hi"


def test_an_async_handle_on_a_handler_with_files_has_its_stream_besides() -> None:
    class Mixed(servers.StreamRequestHandler):
        timeout = 5.0
        stream: trio.SocketStream

        async def handle(self) -> None:
            await self.stream.send_all(await self.stream.receive_some())

    with serving(Mixed) as server, connect(server) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"


def test_an_async_handle_on_a_datagram_handler_may_use_its_files() -> None:
    class Mixed(servers.DatagramRequestHandler):
        async def handle(self) -> None:
            await trio.lowlevel.checkpoint()
            self.wfile.write(self.rfile.read().upper())

    with serving(Mixed, transport="udp") as server, connect(server) as client:
        client.send(b"hello")
        assert client.recv(100) == b"HELLO"


@pytest.mark.parametrize("kind", STREAM_SERVERS, ids=lambda kind: kind.__name__)
def test_a_big_transfer_goes_both_ways_at_once(kind: Any) -> None:
    total = 8 * 1024 * 1024
    with windsock.serving(kind, EchoStream) as server, connect(server) as client:
        client.setblocking(False)
        sent = received = 0
        block = bytes(range(256)) * 256

        async def send(stream: trio.SocketStream) -> None:
            nonlocal sent
            while sent < total:
                await stream.send_all(block)
                sent += len(block)
            await stream.send_eof()

        async def main() -> None:
            nonlocal received
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(client))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send, stream)
                async for piece in stream:
                    start = received % 256
                    assert piece[:8] == (bytes(range(256)) * 2)[start : start + 8][: len(piece)]
                    received += len(piece)

        run(main)
    assert received == total
    assert len(server.connections[0].upstream) == len(server.connections[0].downstream) == total


def test_a_half_closed_client_is_still_answered() -> None:
    class Sums(EchoStream):
        async def handle(self) -> None:
            total = sum([len(piece) async for piece in self.stream])
            await self.stream.send_all(b"%d" % total)

    with serving(Sums) as server:
        assert exchange(server, b"12345", half_close=True) == b"5"


def test_a_half_closed_server_still_listens() -> None:
    heard = []

    class SaysBye(EchoStream):
        async def handle(self) -> None:
            await self.stream.send_all(b"bye")
            await self.stream.send_eof()
            heard.append(b"".join([piece async for piece in self.stream]))

    with serving(SaysBye) as server, connect(server) as client:
        assert rest_of(client) == b"bye"
        client.sendall(b"one more thing")
        client.shutdown(socket.SHUT_WR)
        server.requests.wait(1)
    assert heard == [b"one more thing"]
    assert server.requests.only().data == b"one more thing"


def test_a_handler_may_close_its_stream_itself() -> None:
    class Closes(EchoStream):
        async def handle(self) -> None:
            async with self.stream:
                await self.stream.send_all(b"closed")

    with serving(Closes) as server, connect(server) as client:
        assert rest_of(client) == b"closed"
    assert server.connections[0].ending == "server close"


HOOKS = ("get_request", "verify_request", "process_request", "finish_request", "shutdown_request", "close_request")


def hooked(calls: list[str]) -> Any:
    """Return a class of servers whose hooks say that they were called."""

    def hook(name: str) -> Any:
        def call(self: Any, *args: Any) -> Any:
            calls.append(name)
            return getattr(super(server_class, self), name)(*args)

        return call

    server_class = type("Hooked", (Quiet,), {name: hook(name) for name in (*HOOKS, "serve_request", "make_stream")})
    return server_class


@pytest.mark.parametrize(
    ("handler", "middle"), [(EchoStream, ["serve_request", "make_stream"]), (EchoLines, ["finish_request"])]
)
def test_hooks_are_called_in_the_family_s_order(handler: Any, middle: list[str]) -> None:
    calls: list[str] = []

    async def main() -> None:
        with hooked(calls)(handler) as server:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                async with await trio.open_tcp_stream(*server.server_address) as client:
                    await client.send_eof()
                    assert await client.receive_some() == b""
                server.shutdown()

    run(main)
    assert calls == [*HOOKS[:3], *middle, *HOOKS[4:]]


def test_a_request_that_is_turned_away_is_shut_down() -> None:
    class Choosy(Quiet):
        def verify_request(self, request: Any, client_address: Any) -> bool:
            return False

    async def main() -> None:
        with Choosy(EchoStream) as server:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                async with await trio.open_tcp_stream(*server.server_address) as client:
                    assert await client.receive_some() == b""
                server.shutdown()
            assert server.told == []

    run(main)


class NotAsync:
    def handle(self) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("handler", "expected"),
    [(EchoStream, True), (EchoPacket, True), (EchoLines, False), (NotAsync, False), (print, False), (len, False)],
)
def test_async_handlers_are_told_from_blocking_ones(handler: Any, expected: bool) -> None:
    assert is_async(handler) is expected


@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting"])
def test_an_async_handler_is_refused_elsewhere_before_anything_starts(concurrency: str) -> None:
    with pytest.raises(windsock.UsageError, match="EchoStream is async, which needs concurrency='trio'"):
        windsock.serving(EchoStream, concurrency=concurrency)


def test_the_classes_refuse_an_async_handler_too() -> None:
    with pytest.raises(windsock.UsageError, match="EchoStream is async, and ThreadingTCPServer is not"):
        servers.ThreadingTCPServer(("127.0.0.1", 0), EchoStream)


@pytest.mark.parametrize("step", ["setup", "handle", "finish"])
def test_the_constructor_refuses_what_nobody_would_await(step: str) -> None:
    async def method(self: Any) -> None:
        raise AssertionError("nobody can run this")

    handler = type("Late", (servers.BaseRequestHandler,), {step: method})
    with pytest.raises(windsock.UsageError, match=f"{method.__qualname__}\\(\\) is async"):
        handler(None, None, None)


def test_the_mixin_says_what_it_needs_behind_it() -> None:
    import socketserver

    class Strange(servers.TrioMixIn, socketserver.TCPServer):
        pass

    with (
        Strange(("127.0.0.1", 0), EchoStream) as server,
        pytest.raises(windsock.UsageError, match="needs a server class of"),
    ):
        server.serve_forever()
