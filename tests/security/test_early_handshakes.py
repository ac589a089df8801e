"""A TLS handshake whose first bytes have come, and were read, before the server turns to TLS."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.security.helpers import ByHand, Lines, handshake_of, leave, on_every_handler, on_every_way, served
from tests.support.servers import connect, on_every_concurrency, rest_of, wait_for_end
from windsock import Ending, PeerError, Script, serving
from windsock.scripts import ScriptMismatch
from windsock.security import HandshakeFailure
from windsock.servers import BaseRequestHandler, StreamRequestHandler


class Asked(StreamRequestHandler):
    """Reads lines up to an empty one, turns to TLS, and echoes."""

    timeout = 10

    def handle(self) -> None:
        while self.rfile.readline() != b"\r\n":
            pass
        self.wfile.write(b"go\r\n")
        self.rfile.peek()  # by now the handshake has come
        self.start_tls()
        for line in self.rfile:
            self.wfile.write(line)


class AskedInTask(Lines):
    async def handle(self) -> None:
        while await self.line() != b"\r\n":
            pass
        await self.stream.send_all(b"go\r\n")
        await self.start_tls(unread=self.take_unread() or bytes(await self.stream.receive_some()))
        while line := await self.line():
            await self.stream.send_all(line)


STARTTLS = b"STARTTLS\r\n\r\n"
PROXY = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n\r\n"
CONNECT = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n"


@on_every_way
@on_every_handler
@pytest.mark.parametrize("request_for_tls", [STARTTLS, PROXY, CONNECT], ids=["STARTTLS", "PROXY", "CONNECT"])
def test_a_client_may_send_its_request_for_tls_and_its_hello_at_once(
    way: str, concurrency: str, request_for_tls: bytes
) -> None:
    with served(way, concurrency, Asked, AskedInTask, tls="starttls", framing="lines") as (server, sock):
        client = ByHand(sock, server.client_context())
        sock.sendall(request_for_tls + client.hello())
        assert sock.recv(4) == b"go\r\n"
        client.finish_handshake()
        sock.sendall(client.encrypted(b"hello\n"))
        assert client.receive() == b"hello\n"
        leave(sock)
        found = handshake_of(server)

    (connection,) = server.connections
    assert (found.version, found.server_name) == ("TLSv1.3", "localhost")
    assert connection.upstream == request_for_tls + b"hello\n"
    assert [each.data for each in server.requests] == [*request_for_tls.splitlines(keepends=True), b"hello\n"]
    assert list(server.errors) == []


@on_every_handler
def test_a_server_may_be_slow_to_turn_to_tls(concurrency: str) -> None:
    with served("direct", concurrency, Asked, AskedInTask, tls="starttls") as (server, sock):
        client = ByHand(sock, server.client_context())
        sock.sendall(STARTTLS)
        assert sock.recv(4) == b"go\r\n"
        client.finish_handshake()
        sock.sendall(client.encrypted(b"hello\n"))
        assert client.receive() == b"hello\n"
        leave(sock)
        wait_for_end(server)

    assert server.connections[0].upstream == STARTTLS + b"hello\n"


@on_every_handler
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_a_hello_may_come_in_part(concurrency: str, size: int) -> None:
    with served("direct", concurrency, Asked, AskedInTask, tls="starttls") as (server, sock):
        client = ByHand(sock, server.client_context())
        hello = client.hello()
        sock.sendall(STARTTLS + hello[:size])
        assert sock.recv(4) == b"go\r\n"
        sock.sendall(hello[size:])
        client.finish_handshake()
        leave(sock)
        wait_for_end(server)

    assert server.connections[0].upstream == STARTTLS
    assert server.connections[0].tls.failure is None


@on_every_handler
def test_of_what_comes_in_the_clear_behind_the_request_for_tls_an_error_shows_a_part(concurrency: str) -> None:
    with served("direct", concurrency, Asked, AskedInTask, tls="starttls") as (server, sock):
        sock.sendall(STARTTLS + b"DATA" * 100)
        assert rest_of(sock) == b"go\r\n"
        wait_for_end(server)
        (error,) = server.errors.take()

    assert isinstance(error, PeerError)
    assert str(error) == (
        f"start_tls(): the client sent {b'DATA' * 16!r}... (400 B in all) unencrypted, after its request for TLS"
    )
    assert server.connections[0].upstream == STARTTLS + b"DATA" * 100
    assert server.connections[0].tls is None


@on_every_handler
def test_bytes_that_begin_like_a_hello_and_are_none_fail_as_a_handshake(concurrency: str) -> None:
    with served("direct", concurrency, Asked, AskedInTask, tls="starttls") as (server, sock):
        sock.sendall(STARTTLS + b"\x16\x03\x01\x00\x04oops")
        sock.shutdown(1)
        rest_of(sock)
        wait_for_end(server)

    assert server.connections[0].ending == Ending.HANDSHAKE_FAILED
    assert list(server.errors) == []


class Exact(BaseRequestHandler):
    """Reads no more than the request for TLS, and waits until what follows it has come."""

    def handle(self) -> None:
        self.request.recv(len(STARTTLS))
        self.request.recv(1, socket.MSG_PEEK)
        self.start_tls()


class ExactInTask(BaseRequestHandler):
    async def handle(self) -> None:
        await self.stream.receive_some(len(STARTTLS))
        await self.stream.socket.recv(1, socket.MSG_PEEK)
        await self.start_tls()


@on_every_way
@on_every_handler
def test_of_what_no_handshake_begins_with_the_record_has_a_part(way: str, concurrency: str) -> None:
    with served(way, concurrency, Exact, ExactInTask, tls="starttls") as (server, sock):
        sock.sendall(STARTTLS + b"DATA" * 100)
        found = handshake_of(server)

    assert (found.failure, found.received) == (HandshakeFailure.PLAINTEXT, b"DATA" * 16)
    assert f"plaintext (wrong version number), received {b'DATA' * 16!r}" in "\n".join(server.transcript())


def test_a_password_in_the_clear_is_masked_in_the_transcript() -> None:
    with serving(Exact, tls="starttls") as server, connect(server) as sock:
        sock.sendall(STARTTLS + b"PASS hunter2hunter2\r\n")
        assert handshake_of(server).received == b"PASS hunter2hunter2\r\n"

    assert "hunter2" not in "\n".join(server.transcript())


# --- connections in the test's hand


@on_every_concurrency
@pytest.mark.parametrize("request_for_tls", [STARTTLS, PROXY, CONNECT], ids=["STARTTLS", "PROXY", "CONNECT"])
def test_an_accepted_peer_takes_a_hello_that_came_with_the_request_for_tls(
    concurrency: str, request_for_tls: bytes
) -> None:
    with serving(concurrency=concurrency, tls="starttls", accept=True) as server, connect(server) as sock:
        client = ByHand(sock, server.client_context())
        sock.sendall(request_for_tls + client.hello())
        with server.accept() as peer, ThreadPoolExecutor(1) as pool:
            peer.expect(request_for_tls)
            shaken = pool.submit(client.finish_handshake)
            peer.start_tls()
            shaken.result()
            sock.sendall(client.encrypted(b"hello"))
            peer.expect(b"hello")

    assert server.connections[0].upstream == request_for_tls + b"hello"


@pytest.mark.parametrize("is_read", [True, False])
def test_an_accepted_peer_shows_a_part_of_what_came_in_the_clear(is_read: bool) -> None:
    with serving(tls="starttls", accept=True) as server, connect(server) as sock:
        sock.sendall(STARTTLS + b"DATA" * 100 if is_read else STARTTLS)
        with server.accept() as peer:
            peer.expect(STARTTLS)
            if not is_read:
                sock.sendall(b"DATA" * 100)
            with pytest.raises(ScriptMismatch) as caught:
                peer.start_tls()
            peer.close()

    assert repr(b"DATA" * 16) in str(caught.value)
    assert repr(b"DATA" * 20)[:-1] not in str(caught.value)


# --- fakes


@on_every_concurrency
def test_a_script_shows_a_part_of_what_came_in_the_clear(concurrency: str) -> None:
    with serving(concurrency=concurrency, tls="starttls") as server:
        server.play(Script().expect(STARTTLS).send(b"go\r\n").start_tls())
        with connect(server) as sock:
            sock.sendall(STARTTLS + b"DATA" * 100)
            assert rest_of(sock) == b"go\r\n"
        wait_for_end(server)
        (error,) = server.errors.take()

    assert str(error).splitlines()[:2] == [
        "script 1, step 3, start_tls(): unencrypted data came after the request for TLS",
        f"  unread: 400 B {b'DATA' * 16!r}... (336 more), after {len(STARTTLS)} B that were read",
    ]


@on_every_concurrency
def test_a_script_takes_a_hello_behind_a_line_of_the_proxy_protocol(concurrency: str) -> None:
    with serving(concurrency=concurrency, tls="starttls") as server:
        server.play(Script().expect(until=b"\r\n").start_tls().expect(b"hello"))
        with connect(server) as sock:
            client = ByHand(sock, server.client_context())
            line = PROXY.removesuffix(b"\r\n")
            sock.sendall(line + client.hello())
            client.finish_handshake()
            sock.sendall(client.encrypted(b"hello"))
        wait_for_end(server)

    assert server.connections[0].upstream == line + b"hello"


@on_every_concurrency
def test_a_script_takes_a_hello_that_came_with_the_request_for_tls(concurrency: str) -> None:
    with serving(concurrency=concurrency, tls="starttls") as server:
        server.play(Script().expect(STARTTLS).send(b"go\r\n").start_tls().expect(b"hello").send(b"bye"))
        with connect(server) as sock:
            client = ByHand(sock, server.client_context())
            sock.sendall(STARTTLS + client.hello())
            assert sock.recv(4) == b"go\r\n"
            client.finish_handshake()
            sock.sendall(client.encrypted(b"hello"))
            assert client.receive() == b"bye"
        wait_for_end(server)

    assert server.connections[0].upstream == STARTTLS + b"hello"


@on_every_concurrency
def test_a_script_may_pause_before_it_turns_to_tls(concurrency: str) -> None:
    with serving(concurrency=concurrency, tls="starttls") as server:
        server.play(Script().expect(STARTTLS).send(b"go\r\n").pause(0.1).start_tls().expect(b"hello"))
        with server.connect() as client:
            client.send(STARTTLS).expect(b"go\r\n").start_tls().send(b"hello").half_close().expect_eof()

    assert server.connections[0].upstream == STARTTLS + b"hello"


@on_every_concurrency
def test_rules_answer_before_and_after_a_hello_that_came_early(concurrency: str) -> None:
    with serving(concurrency=concurrency, tls="starttls", framing="lines") as server:
        server.on(b"STARTTLS").play(Script().send(b"go\r\n").start_tls())
        server.on(b"NOOP").reply(b"OK\r\n")
        with connect(server) as sock:
            client = ByHand(sock, server.client_context())
            sock.sendall(b"NOOP\r\nSTARTTLS\r\n" + client.hello())
            assert client.receive_in_the_clear(8) == b"OK\r\ngo\r\n"
            client.finish_handshake()
            sock.sendall(client.encrypted(b"NOOP\r\n"))
            assert client.receive() == b"OK\r\n"
        wait_for_end(server)

    assert [each.data for each in server.requests] == [b"NOOP\r\n", b"STARTTLS\r\n", b"NOOP\r\n"]
    assert [each.reply for each in server.requests] == [b"OK\r\n", b"go\r\n", b"OK\r\n"]
