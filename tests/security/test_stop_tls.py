"""TLS that ends while the connection goes on in the clear, as in FTP (CCC, RFC 4217)."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from tests.security.helpers import ByHand, Lines, leave, on_every_handler, on_every_way, secured, served
from tests.support.servers import connect, on_every_concurrency, rest_of, wait_for_end
from windsock import Ending, Script, UsageError, serving
from windsock.servers import BaseRequestHandler, StreamRequestHandler


class Reverts(StreamRequestHandler):
    """Goes on in the clear when it is told to, and echoes from then on."""

    timeout = 10

    def handle(self) -> None:
        assert self.rfile.readline() == b"CCC\r\n"
        self.stop_tls()
        for line in self.rfile:
            self.wfile.write(line)


class RevertsInTask(Lines):
    async def handle(self) -> None:
        assert await self.line() == b"CCC\r\n"
        await self.stop_tls()
        while line := await self.line():
            await self.stream.send_all(line)


class Unwraps(StreamRequestHandler):
    """The same without the handler's own method."""

    def handle(self) -> None:
        assert self.request.recv(100) == b"CCC\r\n"
        plain = self.request.unwrap()
        while data := plain.recv(100):
            plain.sendall(data)


class UnwrapsInTask(BaseRequestHandler):
    async def handle(self) -> None:
        assert await self.stream.receive_some() == b"CCC\r\n"
        plain, data = await self.stream.unwrap()
        data = data or await plain.receive_some()
        while data:
            await plain.send_all(data)
            data = await plain.receive_some()


HANDLERS = pytest.mark.parametrize(
    ("blocking", "in_task"), [(Reverts, RevertsInTask), (Unwraps, UnwrapsInTask)], ids=["stop_tls", "unwrap"]
)


@on_every_way
@on_every_handler
@HANDLERS
def test_what_comes_in_the_clear_behind_the_end_of_tls_is_read_and_recorded(
    way: str, concurrency: str, blocking: Any, in_task: Any
) -> None:
    with served(way, concurrency, blocking, in_task, tls=True, framing="lines") as (server, sock):
        client = ByHand.shaken(sock, server.client_context())
        sock.sendall(client.encrypted(b"CCC\r\n") + client.goodbye() + b"NOOP\r\n")
        client.finish_goodbye()
        assert client.receive_in_the_clear(6) == b"NOOP\r\n"
        sock.sendall(b"QUIT\r\n")
        assert client.receive_in_the_clear(6) == b"QUIT\r\n"
        leave(sock)
        wait_for_end(server)

    (connection,) = server.connections
    assert connection.upstream == b"CCC\r\nNOOP\r\nQUIT\r\n"
    assert connection.downstream == b"NOOP\r\nQUIT\r\n"
    assert connection.ending == Ending.CLIENT_EOF
    assert [each.data for each in server.requests] == [b"CCC\r\n", b"NOOP\r\n", b"QUIT\r\n"]
    texts = [line.partition("#0 ")[2] for line in server.transcript()]
    assert texts[2:5] == ["> 5 B b'CCC\\r\\n'", "TLS ended, unencrypted from here", "> 6 B b'NOOP\\r\\n'"]
    if concurrency != "forking":  # a child that is told to end just then may say it twice
        assert texts.count("server half-close") == 1
    assert list(server.errors) == []


@on_every_handler
def test_what_came_in_tls_and_was_not_read_comes_first(concurrency: str) -> None:
    with served("direct", concurrency, Reverts, RevertsInTask, tls=True) as (server, sock):
        client = ByHand.shaken(sock, server.client_context())
        sock.sendall(client.encrypted(b"CCC\r\nin TLS\r\n") + client.goodbye() + b"in the clear\r\n")
        client.finish_goodbye()
        assert client.receive_in_the_clear(22) == b"in TLS\r\nin the clear\r\n"
        leave(sock)
        wait_for_end(server)

    assert server.connections[0].upstream == b"CCC\r\nin TLS\r\nin the clear\r\n"


class Turns(StreamRequestHandler):
    """Turns to TLS and back as often as it is told to."""

    timeout = 10

    def handle(self) -> None:
        while line := self.rfile.readline():
            if line == b"STARTTLS\r\n":
                self.start_tls()
            elif line == b"CCC\r\n":
                self.stop_tls()
            else:
                self.wfile.write(line)


class TurnsInTask(Lines):
    async def handle(self) -> None:
        while line := await self.line():
            if line == b"STARTTLS\r\n":
                await self.start_tls(unread=self.take_unread())
            elif line == b"CCC\r\n":
                await self.stop_tls()
            else:
                await self.stream.send_all(line)


@on_every_way
@on_every_handler
def test_a_connection_turns_to_tls_and_back_twice(way: str, concurrency: str) -> None:
    with served(way, concurrency, Turns, TurnsInTask, tls="starttls") as (server, sock):
        first = ByHand(sock, server.client_context())
        sock.sendall(b"STARTTLS\r\n" + first.hello())
        first.finish_handshake()
        second = ByHand(sock, server.client_context())
        sock.sendall(first.encrypted(b"CCC\r\n") + first.goodbye() + b"STARTTLS\r\n" + second.hello())
        first.finish_goodbye()
        second.take_over(first)
        second.finish_handshake()
        sock.sendall(second.encrypted(b"secret\r\n"))
        assert second.receive() == b"secret\r\n"
        sock.sendall(second.encrypted(b"CCC\r\n") + second.goodbye() + b"clear\r\n")
        second.finish_goodbye()
        assert second.receive_in_the_clear(7) == b"clear\r\n"
        leave(sock)
        wait_for_end(server)

    (connection,) = server.connections
    assert connection.upstream == b"STARTTLS\r\nCCC\r\nSTARTTLS\r\nsecret\r\nCCC\r\nclear\r\n"
    assert list(server.errors) == []
    assert connection.as_script() == (
        Script()
        .send(b"STARTTLS\r\n")
        .start_tls()
        .send(b"CCC\r\n")
        .stop_tls()
        .send(b"STARTTLS\r\n")
        .start_tls()
        .send(b"secret\r\n")
        .expect(b"secret\r\n")
        .send(b"CCC\r\n")
        .stop_tls()
        .send(b"clear\r\n")
        .expect(b"clear\r\n")
        .half_close()
        .expect_eof()
        .close()
    )


@on_every_concurrency
def test_a_handler_that_has_read_the_end_of_tls_goes_on_in_the_clear(concurrency: str) -> None:
    class Waits(StreamRequestHandler):
        def handle(self) -> None:
            assert self.rfile.read() == b"in TLS"  # to its end
            self.stop_tls()
            self.wfile.write(self.rfile.readline())

    with serving(Waits, concurrency=concurrency, tls=True) as server, connect(server) as sock:
        client = ByHand.shaken(sock, server.client_context())
        sock.sendall(client.encrypted(b"in TLS") + client.goodbye())
        client.finish_goodbye()
        sock.sendall(b"hello\n")
        assert client.receive_in_the_clear(6) == b"hello\n"
        assert rest_of(sock) == b""
        wait_for_end(server)

    (connection,) = server.connections
    assert connection.upstream == b"in TLShello\n"
    assert connection.ending == Ending.SERVER_CLOSE
    assert not connection.is_tls_truncated


@on_every_handler
def test_a_client_that_leaves_instead_of_ending_tls_is_an_outcome(concurrency: str) -> None:
    with served("direct", concurrency, Reverts, RevertsInTask, tls=True) as (server, sock):
        client = ByHand.shaken(sock, server.client_context())
        sock.sendall(client.encrypted(b"CCC\r\n"))
        leave(sock)
        wait_for_end(server)

    assert server.connections[0].ending in (Ending.CLIENT_EOF, Ending.CLIENT_RESET)
    assert list(server.errors) == []


@on_every_handler
def test_the_standard_library_s_client_ends_tls(concurrency: str) -> None:
    with served("direct", concurrency, Reverts, RevertsInTask, tls=True) as (server, sock):
        client = server.client_context().wrap_socket(sock, server_hostname="localhost")
        client.sendall(b"CCC\r\n")
        plain = client.unwrap()
        plain.sendall(b"NOOP\r\n")
        assert plain.recv(6) == b"NOOP\r\n"
        leave(plain)
        wait_for_end(server)

    assert server.connections[0].upstream == b"CCC\r\nNOOP\r\n"


class InTheClear(BaseRequestHandler):
    def handle(self) -> None:
        self.stop_tls()


class InTheClearInTask(BaseRequestHandler):
    async def handle(self) -> None:
        await self.stop_tls()


@on_every_handler
def test_without_tls_there_is_none_to_end(concurrency: str) -> None:
    with served("direct", concurrency, InTheClear, InTheClearInTask, tls="starttls") as (server, sock):
        assert rest_of(sock) == b""
        (error,) = server.errors.take()

    assert isinstance(error, UsageError)
    assert str(error) == "stop_tls(): this request is not encrypted; start_tls() comes first"


def test_an_async_function_ends_tls() -> None:
    async def reverts(stream: Any, client_address: Any, server: Any) -> None:
        assert await stream.receive_some() == b"CCC\r\n"
        stream = await server.stop_tls_stream(stream)
        await stream.send_all(await stream.receive_some())

    with serving(reverts, tls=True) as server:
        with secured(server) as client:
            client.sendall(b"CCC\r\n")
            plain = client.unwrap()
            plain.sendall(b"NOOP\r\n")
            assert plain.recv(6) == b"NOOP\r\n"
        wait_for_end(server)

    assert server.connections[0].upstream == b"CCC\r\nNOOP\r\n"


def test_nobody_can_write_in_tls_that_has_ended() -> None:
    class Confused(BaseRequestHandler):
        def handle(self) -> None:
            encrypted = self.request
            self.stop_tls()
            with pytest.raises(ssl.SSLError):
                encrypted.sendall(b"x")
            assert encrypted.recv(1) == b""

    with serving(Confused, tls=True) as server, secured(server) as client:
        plain = client.unwrap()
        assert rest_of(plain) == b""
