"""STARTTLS under every concurrency, proved by the standard library's own mail clients."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import ssl

import pytest

from tests.security.helpers import handshake_of, on_every_concurrency, wait_for_end
from tests.support.handlers import EchoBytes
from tests.support.servers import connect, rest_of
from tests.support.waiting import DEADLINE
from windsock import Ending, PeerError, UsageError, serving
from windsock.security import HandshakeFailed, HandshakeFailure, TLSMixIn
from windsock.servers import StreamRequestHandler, TCPServer, ThreadingMixIn


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


@pytest.mark.parametrize("handler", [Mail, BufferedMail])
@on_every_concurrency
def test_smtplib_starts_tls(concurrency: str, handler: type[Mail]) -> None:
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


@on_every_concurrency
def test_imaplib_starts_tls(concurrency: str) -> None:
    with serving(Imap, concurrency=concurrency, tls="starttls") as server:
        with imaplib.IMAP4("localhost", server.port, timeout=DEADLINE) as client:
            client.starttls(ssl_context=server.client_context())
            assert client.login("user", "word") == ("OK", [b"done"])
        wait_for_end(server)

    assert b"LOGIN user" in server.connections[0].upstream


class Pop(StreamRequestHandler):
    timeout = DEADLINE

    def handle(self) -> None:
        self.wfile.write(b"+OK ready\r\n")
        while line := self.rfile.readline():
            self.wfile.write(b"+OK\r\nSTLS\r\n.\r\n" if line == b"CAPA\r\n" else b"+OK\r\n")
            if line == b"STLS\r\n":
                self.start_tls()


@on_every_concurrency
def test_poplib_starts_tls(concurrency: str) -> None:
    with serving(Pop, concurrency=concurrency, tls="starttls") as server:
        client = poplib.POP3("localhost", server.port, timeout=DEADLINE)
        assert client.stls(context=server.client_context()) == b"+OK"
        assert client.user("somebody") == b"+OK"
        client.quit()
        wait_for_end(server)

    assert server.connections[0].upstream.endswith(b"USER somebody\r\nQUIT\r\n")


@on_every_concurrency
def test_what_was_sent_behind_the_request_for_tls_is_refused(concurrency: str) -> None:
    with serving(Mail, concurrency=concurrency, tls="starttls") as server:
        with connect(server) as client:
            assert client.recv(100) == b"220 mail.test ready\r\n"
            client.sendall(b"STARTTLS\r\nNOOP\r\n")
            assert rest_of(client) == b"220 go ahead\r\n"
        wait_for_end(server)
        (error,) = server.errors.take()

    assert isinstance(error, PeerError)
    assert str(error) == "start_tls(): the client sent b'NOOP\\r\\n' unencrypted, after its request for TLS"
    assert server.connections[0].tls is None


@on_every_concurrency
def test_a_failing_handshake_ends_the_session_and_is_no_error(concurrency: str) -> None:
    with serving(Mail, concurrency=concurrency, tls="starttls") as server, connect(server) as client:
        client.recv(100)
        client.sendall(b"STARTTLS\r\n")
        assert client.recv(100) == b"220 go ahead\r\n"
        client.sendall(b"not a handshake")
        found = handshake_of(server)

    assert found.failure is HandshakeFailure.PLAINTEXT
    assert server.connections[0].ending == Ending.HANDSHAKE_FAILED


def test_a_handler_may_go_on_in_the_clear_after_a_failure() -> None:
    class Stubborn(StreamRequestHandler):
        def handle(self) -> None:
            try:
                self.start_tls()
            except HandshakeFailed as error:
                self.request.sendall(str(error.handshake.failure).encode())

    with serving(Stubborn, tls="starttls") as server, connect(server) as client:
        client.sendall(b"not a handshake")
        assert rest_of(client).endswith(b"plaintext")


class Doubly(StreamRequestHandler):
    def handle(self) -> None:
        self.start_tls()
        self.start_tls()


def test_tls_in_tls_is_refused() -> None:
    with serving(Doubly, tls="starttls") as server:
        with connect(server) as raw, server.client_context().wrap_socket(raw, server_hostname="localhost") as client:
            assert client.recv(1) == b""
        (error,) = server.errors.take()

    assert str(error) == "start_tls(): this request is encrypted already"


class Asking(StreamRequestHandler):
    def handle(self) -> None:
        self.start_tls()


def test_a_server_that_cannot_says_so() -> None:
    with serving(Asking) as server:
        with connect(server) as client:
            assert client.recv(1) == b""
        (error,) = server.errors.take()

    assert isinstance(error, UsageError)
    assert str(error) == "start_tls(): ThreadingTCPServer can't; put TLSMixIn first among its bases"


def test_a_server_without_a_context_says_so() -> None:
    class Bare(TLSMixIn, ThreadingMixIn, TCPServer):
        pass

    with serving(Bare, EchoBytes) as server:
        with connect(server) as client:
            assert client.recv(1) == b""
        (error,) = server.errors.take()

    assert str(error) == "Bare.ssl_context is None; set it to an ssl.SSLContext for servers"
