"""STARTTLS for blocking and async handlers, proved by the standard library's own mail clients."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import ssl
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import trio

from tests.security.helpers import Lines, fails_with, handshake_of
from tests.support.handlers import EchoBytes
from tests.support.servers import connect, rest_of, wait_for_end
from tests.support.waiting import DEADLINE
from windsock import Ending, PeerError, UsageError, serving
from windsock.harness import CONCURRENCIES
from windsock.security import HandshakeFailed, HandshakeFailure, TLSMixIn
from windsock.servers import BaseRequestHandler, StreamRequestHandler, TCPServer, ThreadingMixIn, TrioTCPServer


class Mail(StreamRequestHandler):
    """A mail server that takes one message and throws it away."""

    timeout = DEADLINE

    def handle(self) -> None:
        self.say("220 mail.test ready")
        while line := self.rfile.readline():
            command = line.strip().upper()
            if command == b"STARTTLS":
                self.say("220 go ahead")
                self.start_tls()
            elif command.startswith(b"EHLO"):
                self.say("250-mail.test\r\n250 STARTTLS")
            elif command == b"DATA":
                self.say("354 go ahead")
                while self.rfile.readline() != b".\r\n":
                    pass
                self.say("250 OK")
            elif command == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 OK")

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class BufferedMail(Mail):
    wbufsize = 8192

    def say(self, text: str) -> None:
        super().say(text)
        self.wfile.flush()


class Imap(StreamRequestHandler):
    timeout = DEADLINE

    def handle(self) -> None:
        self.wfile.write(b"* OK IMAP4rev1 ready\r\n")
        while line := self.rfile.readline():
            tag, command = line.split()[:2]
            if command == b"CAPABILITY":
                self.wfile.write(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n")
            elif command == b"LOGOUT":
                self.wfile.write(b"* BYE\r\n")
            self.wfile.write(tag + b" OK done\r\n")
            if command == b"STARTTLS":
                self.start_tls()


class Pop(StreamRequestHandler):
    timeout = DEADLINE

    def handle(self) -> None:
        self.wfile.write(b"+OK ready\r\n")
        while line := self.rfile.readline():
            self.wfile.write(b"+OK\r\nSTLS\r\n.\r\n" if line == b"CAPA\r\n" else b"+OK\r\n")
            if line == b"STLS\r\n":
                self.start_tls()


class Talking(Lines):
    async def say(self, text: bytes) -> None:
        await self.stream.send_all(text + b"\r\n")


class AsyncMail(Talking):
    """A mail server that takes one message and throws it away."""

    async def handle(self) -> None:
        await self.say(b"220 mail.test ready")
        while line := await self.line():
            command = line.strip().upper()
            if command == b"STARTTLS":
                await self.say(b"220 go ahead")
                await self.start_tls(unread=self.unread)
            elif command.startswith(b"EHLO"):
                await self.say(b"250-mail.test\r\n250 STARTTLS")
            elif command == b"DATA":
                await self.say(b"354 go ahead")
                while await self.line() != b".\r\n":
                    pass
                await self.say(b"250 OK")
            elif command == b"QUIT":
                await self.say(b"221 bye")
            else:
                await self.say(b"250 OK")


class AsyncImap(Talking):
    async def handle(self) -> None:
        await self.say(b"* OK IMAP4rev1 ready")
        while line := await self.line():
            tag, command = line.split()[:2]
            if command == b"CAPABILITY":
                await self.say(b"* CAPABILITY IMAP4rev1 STARTTLS")
            elif command == b"LOGOUT":
                await self.say(b"* BYE")
            await self.say(tag + b" OK done")
            if command == b"STARTTLS":
                await self.start_tls(unread=self.unread)


async def async_pop(stream: Any, client_address: Any, server: Any) -> None:
    await stream.send_all(b"+OK ready\r\n")
    while line := await stream.receive_some():
        await stream.send_all(b"+OK\r\nSTLS\r\n.\r\n" if line == b"CAPA\r\n" else b"+OK\r\n")
        if line == b"STLS\r\n":
            stream = await server.start_tls_stream(stream)


def on_every_handler(in_task: Any, *blocking: Any) -> pytest.MarkDecorator:
    """Run a test with blocking handlers under every concurrency, and with an async one."""
    kinds = [*product(blocking, CONCURRENCIES), (in_task, "trio")]
    return pytest.mark.parametrize(("handler", "concurrency"), kinds, ids=lambda kind: getattr(kind, "__name__", kind))


@on_every_handler(AsyncMail, Mail, BufferedMail)
def test_smtplib_starts_tls(handler: Any, concurrency: str) -> None:
    with serving(handler, concurrency=concurrency, tls="starttls", framing="lines") as server:
        with smtplib.SMTP("localhost", server.port, local_hostname="client.test", timeout=DEADLINE) as client:
            client.starttls(context=server.client_context())
            assert isinstance(client.sock, ssl.SSLSocket)
            client.sendmail("a@example.com", ["b@example.com"], b"Subject: hi\r\n\r\nSecret.\r\n")
        found = handshake_of(server)

    assert found.version == "TLSv1.3"
    lines = [each.data for each in server.requests]
    assert lines[:2] == [b"ehlo client.test\r\n", b"STARTTLS\r\n"]
    assert b"Secret.\r\n" in lines
    assert lines[-1].upper() == b"QUIT\r\n"
    (at,) = [number for number, line in enumerate(server.transcript()) if "TLSv1.3" in line]
    assert "220 go ahead" in server.transcript()[at - 1]


@on_every_handler(AsyncImap, Imap)
def test_imaplib_starts_tls(handler: Any, concurrency: str) -> None:
    with serving(handler, concurrency=concurrency, tls="starttls") as server:
        with imaplib.IMAP4("localhost", server.port, timeout=DEADLINE) as client:
            client.starttls(ssl_context=server.client_context())
            assert client.login("user", "word") == ("OK", [b"done"])
        wait_for_end(server)

    assert b"LOGIN user" in server.connections[0].upstream


@on_every_handler(async_pop, Pop)
def test_poplib_starts_tls(handler: Any, concurrency: str) -> None:
    with serving(handler, concurrency=concurrency, tls="starttls") as server:
        client = poplib.POP3("localhost", server.port, timeout=DEADLINE)
        assert client.stls(context=server.client_context()) == b"+OK"
        assert client.user("somebody") == b"+OK"
        client.quit()
        wait_for_end(server)

    assert server.connections[0].upstream.endswith(b"USER somebody\r\nQUIT\r\n")


@on_every_handler(AsyncMail, Mail)
def test_what_was_sent_behind_the_request_for_tls_is_refused(handler: Any, concurrency: str) -> None:
    with serving(handler, concurrency=concurrency, tls="starttls") as server:
        with connect(server) as client:
            assert client.recv(100) == b"220 mail.test ready\r\n"
            client.sendall(b"STARTTLS\r\nNOOP\r\n")
            assert rest_of(client) == b"220 go ahead\r\n"
        wait_for_end(server)
        (error,) = server.errors.take()

    assert isinstance(error, PeerError)
    assert str(error) == "start_tls(): the client sent b'NOOP\\r\\n' unencrypted, after its request for TLS"
    assert server.connections[0].tls is None


@on_every_handler(AsyncMail, Mail)
def test_a_failing_handshake_ends_the_session_and_is_no_error(handler: Any, concurrency: str) -> None:
    with serving(handler, concurrency=concurrency, tls="starttls") as server, connect(server) as client:
        client.recv(100)
        client.sendall(b"STARTTLS\r\n")
        assert client.recv(100) == b"220 go ahead\r\n"
        client.sendall(b"not a handshake")
        found = handshake_of(server)

    assert found.failure is HandshakeFailure.PLAINTEXT
    assert server.connections[0].ending == Ending.HANDSHAKE_FAILED


class Stubborn(StreamRequestHandler):
    def handle(self) -> None:
        try:
            self.start_tls()
        except HandshakeFailed as error:
            self.request.sendall(str(error.handshake.failure).encode())


class AsyncStubborn(BaseRequestHandler):
    async def handle(self) -> None:
        try:
            await self.start_tls()
        except HandshakeFailed as error:
            await self.stream.send_all(str(error.handshake.failure).encode())


@pytest.mark.parametrize("handler", [Stubborn, AsyncStubborn])
def test_a_handler_may_go_on_in_the_clear_after_a_failure(handler: Any) -> None:
    with serving(handler, tls="starttls") as server, connect(server) as client:
        client.sendall(b"not a handshake")
        assert rest_of(client).endswith(b"plaintext")
        wait_for_end(server)

    assert server.connections[0].downstream.endswith(b"plaintext")


class Doubly(StreamRequestHandler):
    def handle(self) -> None:
        self.start_tls()
        self.start_tls()


class AsyncDoubly(BaseRequestHandler):
    async def handle(self) -> None:
        await self.start_tls()
        await self.start_tls()


@pytest.mark.parametrize("handler", [Doubly, AsyncDoubly])
def test_tls_in_tls_is_refused(handler: Any) -> None:
    with serving(handler, tls="starttls") as server:
        with connect(server) as raw, server.client_context().wrap_socket(raw, server_hostname="localhost") as client:
            assert client.recv(1) == b""
        (error,) = server.errors.take()  # it is there when the client sees the end

    assert str(error) == "start_tls(): this request is encrypted already"


class Asking(StreamRequestHandler):
    def handle(self) -> None:
        self.start_tls()


class AtOnce(BaseRequestHandler):
    async def handle(self) -> None:
        await self.start_tls()
        await self.stream.send_all(b"hello")


@pytest.mark.parametrize(("handler", "server_class"), [(Asking, "ThreadingTCPServer"), (AtOnce, "TrioTCPServer")])
def test_a_server_that_cannot_says_so(handler: Any, server_class: str) -> None:
    with serving(handler) as server:
        with connect(server) as client:
            assert client.recv(1) == b""
        (error,) = server.errors.take()

    assert isinstance(error, UsageError)
    assert str(error) == f"start_tls(): {server_class} can't; put TLSMixIn first among its bases"


def test_a_server_without_a_context_says_so() -> None:
    class Bare(TLSMixIn, ThreadingMixIn, TCPServer):
        pass

    with serving(Bare, EchoBytes) as server:
        with connect(server) as client:
            assert client.recv(1) == b""
        (error,) = server.errors.take()

    assert str(error) == "Bare.ssl_context is None; set it to an ssl.SSLContext for servers"


# --- async handlers alone


@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
def test_the_plaintext_is_recorded_before_and_after(transport: str) -> None:
    with serving(AsyncMail, transport=transport, concurrency="trio", tls="starttls") as server, connect(server) as raw:
        assert raw.recv(100) == b"220 mail.test ready\r\n"
        raw.sendall(b"STARTTLS\r\n")
        assert raw.recv(100) == b"220 go ahead\r\n"
        with server.client_context().wrap_socket(raw, server_hostname="localhost") as client:
            client.sendall(b"NOOP\r\n")
            assert client.recv(100) == b"250 OK\r\n"
            client.unwrap()
        found = handshake_of(server)

    assert (found.version, found.server_name) == ("TLSv1.3", "localhost")
    (connection,) = server.connections
    assert connection.upstream == b"STARTTLS\r\nNOOP\r\n"
    assert connection.downstream == b"220 mail.test ready\r\n220 go ahead\r\n250 OK\r\n"
    assert connection.ending == Ending.CLIENT_EOF
    assert list(server.errors) == []


class Exact(BaseRequestHandler):
    """Reads no more than the request for TLS."""

    async def handle(self) -> None:
        assert await self.stream.receive_some(len(b"STARTTLS\r\n")) == b"STARTTLS\r\n"
        await self.start_tls()


def test_what_was_sent_behind_it_and_is_not_read_yet_is_no_handshake() -> None:
    with serving(Exact, tls="starttls") as server, connect(server) as client:
        client.sendall(b"STARTTLS\r\nNOOP\r\n")
        found = handshake_of(server)

    assert found.failure is HandshakeFailure.PLAINTEXT
    assert server.connections[0].upstream == b"STARTTLS\r\n"
    assert server.connections[0].ending == Ending.HANDSHAKE_FAILED
    assert list(server.errors) == []


def says_something_else(server: Any) -> None:
    with connect(server) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        wait_for_end(server)


def leaves(server: Any) -> None:
    connect(server).close()


def says_nothing(server: Any) -> None:
    server.server.handshake_timeout = 0.05
    with connect(server):
        wait_for_end(server)


def trusts_nobody(server: Any) -> None:
    fails_with(server, ssl.create_default_context())


@pytest.mark.parametrize(
    ("client", "failure"),
    [
        (says_something_else, HandshakeFailure.PLAINTEXT),
        (leaves, HandshakeFailure.EOF),
        (says_nothing, HandshakeFailure.TIMEOUT),
        (trusts_nobody, HandshakeFailure.ALERT),
    ],
)
def test_handshakes_that_fail_are_outcomes(client: Callable[[Any], None], failure: HandshakeFailure) -> None:
    with serving(AtOnce, tls="starttls") as server:
        client(server)
        found = handshake_of(server)

    assert found.failure is failure
    assert server.connections[0].ending == Ending.HANDSHAKE_FAILED
    assert list(server.errors) == []


def test_the_end_of_the_stream_is_said_in_tls() -> None:
    with serving(AtOnce, tls="starttls") as server, connect(server) as raw:
        context = server.client_context()
        with context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client:
            assert client.recv(5) == b"hello"
            assert client.recv(5) == b""


def test_a_mute_client_does_not_hold_up_the_stop() -> None:
    with serving(AsyncMail, tls="starttls") as server, connect(server) as client:
        client.recv(100)
        client.sendall(b"STARTTLS\r\n")
        assert client.recv(100) == b"220 go ahead\r\n"

        server.stop()

        rest_of(client)


class OfAStranger(BaseRequestHandler):
    async def handle(self) -> None:
        import trio.testing

        one, _ = trio.testing.memory_stream_pair()
        self.stream = one
        await self.start_tls()


def test_a_stream_of_a_stranger_is_refused() -> None:
    with serving(OfAStranger, tls="starttls") as server:
        with connect(server) as client:
            assert rest_of(client) == b""
        (error,) = server.errors.take()

    assert isinstance(error, UsageError)
    assert str(error).startswith("start_tls(): StapledStream")
    assert str(error).endswith("was not returned by make_stream() of this server")


def test_a_server_in_a_nursery_starts_tls_too() -> None:
    import trustme

    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)

    class Secure(TLSMixIn, TrioTCPServer):
        ssl_context = server_context
        begins_with_tls = False

    async def main() -> bytes | bytearray:
        with Secure(("127.0.0.1", 0), AtOnce) as server, trio.fail_after(DEADLINE):
            async with trio.open_nursery() as nursery:
                host, port = await nursery.start(server.serve)
                plain = await trio.open_tcp_stream(host, port)
                async with trio.SSLStream(plain, client_context, server_hostname="localhost") as stream:
                    said: bytes | bytearray = await stream.receive_some()
                nursery.cancel_scope.cancel()
        return said

    assert trio.run(main) == b"hello"
