"""Handlers that are told of urgent data, under every concurrency, whatever is in between."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio

import windsock
from tests.servers.helpers import only_linux
from tests.support.servers import on_every_concurrency, on_every_stream, receive
from tests.support.waiting import DEADLINE
from windsock import servers
from windsock.errors import UsageError
from windsock.recording.events import Ending
from windsock.servers import BaseRequestHandler, StreamRequestHandler, UrgentMixIn

pytestmark = only_linux

on_every_route = pytest.mark.parametrize("route", ["direct", "relayed", "proxied"])


class Lines(UrgentMixIn, StreamRequestHandler):
    """Answers each line, and each urgent byte at once."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(b"line " + line)

    def handle_urgent(self, byte: bytes, position: int) -> None:
        self.request.sendall(b"urgent %b at %d\n" % (byte, position))


class AsyncLines(UrgentMixIn, BaseRequestHandler):
    """The same, as a task."""

    async def handle(self) -> None:
        unread = b""
        while data := await self.stream.receive_some():
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                await self.stream.send_all(b"line " + line + b"\n")

    async def handle_urgent(self, byte: bytes, position: int) -> None:
        await self.stream.send_all(b"urgent %b at %d\n" % (byte, position))


class InlineLines(Lines):
    urgent_inline = True


class AsyncInlineLines(AsyncLines):
    urgent_inline = True


@contextlib.contextmanager
def client_of(
    handler: type[Any], transport: str, concurrency: str, route: str, **options: Any
) -> Iterator[tuple[socket.socket, Any]]:
    options |= {"transport": transport, "concurrency": concurrency, "relay": route == "relayed"}
    with windsock.serving(handler, **options) as server:
        with contextlib.ExitStack() as stack:
            faulty: Any = stack.enter_context(windsock.proxy(server.address)) if route == "proxied" else server
            client = stack.enter_context(socket.socket(server.server.address_family))
            client.settimeout(DEADLINE)
            client.connect(faulty.address)
            yield client, server
        server.connections.wait(1)


def says(client: socket.socket, answer: bytes) -> None:
    assert receive(client, len(answer)) == answer


KINDS = [("sync", Lines), ("threading", Lines), ("forking", Lines), ("selecting", Lines), ("trio", Lines)]
KINDS_OF_HANDLERS = pytest.mark.parametrize(("concurrency", "handler"), [*KINDS, ("trio", AsyncLines)])
INLINE = [(concurrency, InlineLines) for concurrency, _ in KINDS]
KINDS_OF_INLINE_HANDLERS = pytest.mark.parametrize(("concurrency", "handler"), [*INLINE, ("trio", AsyncInlineLines)])


@on_every_route
@on_every_stream
@KINDS_OF_HANDLERS
def test_a_handler_is_told_of_urgent_data(handler: Any, transport: str, concurrency: str, route: str) -> None:
    with client_of(handler, transport, concurrency, route) as (client, server):
        client.send(b"abcX", socket.MSG_OOB)
        assert re.fullmatch(rb"urgent X at 3\n", receive(client, 14))
        client.sendall(b"def\n")
        says(client, b"line abcdef\n")
        for _ in range(3):
            client.send(b"Y", socket.MSG_OOB)
            says(client, b"urgent Y at 7\n")
        client.sendall(b"1\n2\n")
        says(client, b"line 1\nline 2\n")
        client.send(b"Z", socket.MSG_OOB)
        says(client, b"urgent Z at 11\n")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(10) == b""
    connection = server.connections[0]
    assert connection.ending is Ending.CLIENT_EOF
    assert connection.upstream == b"abcdef\n1\n2\n"
    assert [(each.data, each.position) for each in connection.urgent] == [
        (b"X", 3), (b"Y", 7), (b"Y", 7), (b"Y", 7), (b"Z", 11)
    ]  # fmt: skip


@on_every_route
@on_every_stream
@KINDS_OF_INLINE_HANDLERS
def test_in_line_the_byte_is_read_in_its_place(handler: Any, transport: str, concurrency: str, route: str) -> None:
    with client_of(handler, transport, concurrency, route) as (client, server):
        client.send(b"abcX", socket.MSG_OOB)
        client.sendall(b"def\n")
        says(client, b"urgent X at 3\nline abcXdef\n")
        client.send(b"ABOR\r\n", socket.MSG_OOB)
        says(client, b"urgent \n at 13\nline ABOR\r\n")
    connection = server.connections[0]
    assert connection.upstream == b"abcXdef\nABOR\r\n"
    assert [(each.data, each.position, each.is_inline) for each in connection.urgent] == [
        (b"X", 3, True),
        (b"\n", 13, True),
    ]


class Busy(UrgentMixIn, StreamRequestHandler):
    """Does not read until it is interrupted."""

    def setup(self) -> None:
        self.is_interrupted = threading.Event()
        super().setup()

    def handle(self) -> None:
        self.wfile.write(b"busy\n")
        assert self.is_interrupted.wait(DEADLINE)
        self.wfile.write(b"interrupted\n")
        self.wfile.write(self.rfile.readline())

    def handle_urgent(self, byte: bytes, position: int) -> None:
        assert (byte, position) == (b"\xf2", 4)
        self.is_interrupted.set()


class AsyncBusy(UrgentMixIn, BaseRequestHandler):
    def setup(self) -> None:
        self.is_interrupted = trio.Event()
        super().setup()

    async def handle(self) -> None:
        await self.stream.send_all(b"busy\n")
        with trio.fail_after(DEADLINE):
            await self.is_interrupted.wait()
        await self.stream.send_all(b"interrupted\n")
        line = b""
        while not line.endswith(b"\n"):
            line += await self.stream.receive_some()
        await self.stream.send_all(line)

    def handle_urgent(self, byte: bytes, position: int) -> None:
        assert (byte, position) == (b"\xf2", 4)
        self.is_interrupted.set()


@on_every_route
@on_every_stream
@pytest.mark.parametrize(
    ("concurrency", "handler"),
    [("sync", Busy), ("threading", Busy), ("forking", Busy), ("trio", Busy), ("trio", AsyncBusy)],
)
def test_a_handler_that_does_not_read_is_interrupted(
    handler: Any, transport: str, concurrency: str, route: str
) -> None:
    with client_of(handler, transport, concurrency, route) as (client, _):
        says(client, b"busy\n")
        client.send(b"stop\xf2", socket.MSG_OOB)
        says(client, b"interrupted\n")
        client.sendall(b"\n")
        says(client, b"stop\n")


class Writes(UrgentMixIn, BaseRequestHandler):
    """Sends without end, until it is interrupted."""

    is_interrupted = False

    def handle(self) -> None:
        while not self.is_interrupted:
            self.request.sendall(bytes(100_000))
        self.request.sendall(b"interrupted")

    def handle_urgent(self, byte: bytes, position: int) -> None:  # the interface of handlers
        self.is_interrupted = True


@on_every_concurrency
@on_every_stream
def test_a_handler_that_sends_is_interrupted(transport: str, concurrency: str) -> None:
    with client_of(Writes, transport, concurrency, "direct") as (client, _):
        receive(client, 300_000)
        client.send(b"X", socket.MSG_OOB)
        rest = b""
        while not rest.endswith(b"interrupted"):
            rest = rest[-20:] + client.recv(65536)


class Fails(Lines):
    def handle_urgent(self, byte: bytes, position: int) -> None:  # the interface of handlers
        raise LookupError("no such command")


class AsyncFails(AsyncLines):
    async def handle_urgent(self, byte: bytes, position: int) -> None:  # the interface of handlers
        raise LookupError("no such command")


@on_every_stream
@pytest.mark.parametrize(
    ("concurrency", "handler"), [*((concurrency, Fails) for concurrency, _ in KINDS), ("trio", AsyncFails)]
)
def test_an_exception_for_urgent_data_ends_the_handler(handler: Any, transport: str, concurrency: str) -> None:
    with client_of(handler, transport, concurrency, "direct", strict=False) as (client, server):
        client.send(b"X", socket.MSG_OOB)
        assert client.recv(1) == b""
    assert [str(each) for each in server.errors] == ["no such command"]


class Closes(UrgentMixIn, BaseRequestHandler):
    """Closes its connection when it is told of urgent data."""

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.request.recv(1)

    def handle_urgent(self, byte: bytes, position: int) -> None:  # the interface of handlers
        self.request.sendall(b"bye")
        self.request.close()


@on_every_concurrency
@on_every_stream
def test_a_connection_closed_after_urgent_data_ends_and_is_not_reset(transport: str, concurrency: str) -> None:
    with client_of(Closes, transport, concurrency, "direct") as (client, _):
        client.send(b"X", socket.MSG_OOB)
        says(client, b"bye")
        assert client.recv(1) == b""


# --- servers alone, without a recording


@on_every_stream
@pytest.mark.parametrize("name", ["", "Threading", "Forking", "Selecting", "Trio"])
def test_a_server_by_itself_tells_its_handlers(transport: str, name: str, tmp_path: Any) -> None:
    kind = getattr(servers, f"{name}TCPServer" if transport == "tcp" else f"{name}UnixStreamServer")
    address = ("127.0.0.1", 0) if transport == "tcp" else str(tmp_path / "socket")
    for handler in [Lines, InlineLines] + ([AsyncLines, AsyncInlineLines] if name == "Trio" else []):
        with kind(address, handler) as server:
            serving = threading.Thread(target=server.serve_forever)
            serving.start()
            with socket.socket(server.address_family) as client:
                client.settimeout(DEADLINE)
                client.connect(server.server_address)
                client.send(b"abcX", socket.MSG_OOB)
                if handler.urgent_inline:
                    client.sendall(b"def\n")
                    says(client, b"urgent X at 3\nline abcXdef\n")
                else:
                    says(client, b"urgent X at 3\n")
                    client.sendall(b"def\n")
                    says(client, b"line abcdef\n")
            server.shutdown()
            serving.join(DEADLINE)


@on_every_stream
def test_timeouts_and_calls_that_do_not_block_work_as_usual(transport: str) -> None:
    found: list[Any] = []

    class Asks(UrgentMixIn, BaseRequestHandler):
        def handle(self) -> None:
            request = self.request
            for setting, error in ((0.0, BlockingIOError), (0.01, TimeoutError)):
                request.settimeout(setting)
                with pytest.raises(error):
                    request.recv(1)
            request.settimeout(DEADLINE)
            with pytest.raises(BlockingIOError):
                request.recv(1, socket.MSG_DONTWAIT)
            request.sendall(b".")
            buffer = bytearray(2)
            found.append(request.recv(2, socket.MSG_PEEK))
            found.append((request.recv_into(buffer), bytes(buffer)))
            found.append(request.recvmsg(2)[0])
            found.append((request.recvmsg_into([buffer])[0], bytes(buffer)))
            found.append(request.recvfrom(2)[0])
            found.append((request.recvfrom_into(buffer)[0], bytes(buffer)))
            found.append(request.recv(3))

        def handle_urgent(self, byte: bytes, position: int) -> None:
            found.append((byte, position))

    with client_of(Asks, transport, "threading", "direct") as (client, _):
        says(client, b".")
        client.sendall(b"abcdef")
        client.send(b"ghijX", socket.MSG_OOB)
        client.sendall(b"kl")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    found.remove((b"X", 10))  # at any time: another thread may be the first to see it
    assert found == [b"ab", (2, b"ab"), b"cd", (2, b"ef"), b"gh", (2, b"ij"), b"kl"]


# --- declarations


def test_datagram_servers_and_tls_refuse_the_declaration() -> None:
    with pytest.raises(UsageError, match=r"Lines handles urgent data: .*UDPServer is for datagrams, which have none"):
        servers.UDPServer(("127.0.0.1", 0), Lines)
    with pytest.raises(UsageError, match="is for datagrams"):
        windsock.serving(Lines, transport="unix_datagram").__enter__()
    with pytest.raises(UsageError, match=r"Lines handles urgent data: TLS has none"):
        windsock.serving(Lines, transport="tcp", tls=True).__enter__()


def test_a_handler_without_the_mix_in_pays_nothing() -> None:
    kinds: list[Any] = []

    def handle(request: Any, *_: Any) -> None:
        kinds.append(type(request).__mro__)

    with windsock.serving(handle, transport="tcp", concurrency="threading") as server:
        with socket.create_connection(server.address) as client:
            assert client.recv(1) == b""
        server.connections.wait(1)
    assert not any("Urgent" in each.__name__ for each in kinds[0])


class OnlySends(UrgentMixIn, BaseRequestHandler):
    """Sends although nothing ever makes it wait."""

    is_told = False

    def handle(self) -> None:
        poll = select.poll()
        poll.register(self.request.fileno(), select.POLLPRI)
        assert poll.poll(DEADLINE * 1000)
        self.request.sendall(b"one ")
        self.request.send(b"told" if self.is_told else b"not told")

    def handle_urgent(self, byte: bytes, position: int) -> None:
        self.is_told = True


@on_every_stream
def test_a_greenlet_that_only_sends_is_told_of_urgent_data(transport: str) -> None:
    with client_of(OnlySends, transport, "selecting", "direct") as (client, _):
        client.send(b"X", socket.MSG_OOB)

        assert receive(client, 8) == b"one told"


class WithPhases(UrgentMixIn, StreamRequestHandler):
    """Notes in which of its methods it was told of urgent data."""

    def setup(self) -> None:
        super().setup()
        self._wait_for_urgent_data()
        self.told: list[bytes] = []

    def handle(self) -> None:
        self.rfile.readline()
        self.wfile.write(b"told " + b"".join(self.told) + b"\n")

    def finish(self) -> None:
        self.wfile.write(b"end\n")
        self._wait_for_urgent_data()
        self.wfile.write(b"told " + b"".join(self.told) + b"\n")
        super().finish()

    def handle_urgent(self, byte: bytes, position: int) -> None:
        self.told.append(byte)

    def _wait_for_urgent_data(self) -> None:
        poll = select.poll()
        poll.register(self.request.fileno(), select.POLLPRI)
        assert poll.poll(DEADLINE * 1000)


@on_every_concurrency
@on_every_stream
def test_a_handler_is_told_of_urgent_data_only_while_handle_runs(transport: str, concurrency: str) -> None:
    with client_of(WithPhases, transport, concurrency, "direct") as (client, _):
        client.send(b"X", socket.MSG_OOB)
        client.sendall(b"line\n")
        assert receive(client, 11) == b"told X\nend\n"
        client.send(b"Y", socket.MSG_OOB)
        assert receive(client, 7) == b"told X\n"
