"""Handshakes that fail: each kind is an outcome with a name, for the client's part and for ours."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from typing import Any

import pytest

from tests.security.helpers import fails_with, handshake_of, on_every_echo, secured
from tests.support.handlers import EchoBytes
from tests.support.servers import connect, reset, wait_for_end
from windsock import Ending, RunningServer, serving
from windsock.security import HandshakeFailed, HandshakeFailure, TLSMixIn
from windsock.servers import TCPServer, ThreadingMixIn


def hello_of(server: RunningServer) -> bytes:
    """Return the first bytes of a client."""
    outgoing = ssl.MemoryBIO()
    client = server.client_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@on_every_echo
def test_plaintext_is_told_from_tls(handler: Any, concurrency: str) -> None:
    with serving(handler, concurrency=concurrency, tls=True) as server, connect(server) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        found = handshake_of(server)

    assert (found.failure, found.reason) == (HandshakeFailure.PLAINTEXT, "http request")
    assert server.connections[0].ending == Ending.HANDSHAKE_FAILED
    assert server.connections[0].upstream == b""
    assert "#0 TLS handshake failed: plaintext (http request)" in "\n".join(server.transcript())


@pytest.mark.parametrize("says_hello", [True, False])
@on_every_echo
def test_a_client_that_leaves_is_an_outcome(handler: Any, concurrency: str, says_hello: bool) -> None:
    with serving(handler, concurrency=concurrency, tls=True) as server, connect(server) as client:
        client.sendall(hello_of(server) if says_hello else b"")
        client.shutdown(socket.SHUT_WR)
        found = handshake_of(server)

    assert found.failure is HandshakeFailure.EOF
    assert found.server_name == ("localhost" if says_hello else None)


@on_every_echo
def test_a_client_that_resets_is_an_outcome(handler: Any, concurrency: str) -> None:
    with serving(handler, concurrency=concurrency, tls=True) as server:
        client = connect(server)
        client.sendall(hello_of(server)[:10])
        reset(client)
        found = handshake_of(server)

    assert found.failure is HandshakeFailure.RESET
    assert found.reason == "Connection reset by peer"


@on_every_echo
def test_a_client_that_says_nothing_is_waited_for_no_longer_than_the_deadline(handler: Any, concurrency: str) -> None:
    with serving(handler, concurrency=concurrency, tls=True) as server:
        server.server.handshake_timeout = 0.05
        with connect(server) as client:
            found = handshake_of(server)
            assert client.recv(1) == b""

    assert str(found) == "TLS handshake failed: timeout"


def test_a_client_that_dribbles_is_waited_for_no_longer_than_the_deadline_either() -> None:
    with serving(EchoBytes, tls=True) as server:
        server.server.handshake_timeout = 0.1
        with connect(server) as client:
            client.settimeout(0.01)  # the time between two bytes
            for each in hello_of(server):
                client.send(bytes([each]))
                with contextlib.suppress(TimeoutError):
                    assert client.recv(1) == b""
                    break
        found = handshake_of(server)

    assert found.failure is HandshakeFailure.TIMEOUT


@on_every_echo
def test_a_client_that_does_not_trust_us_sends_an_alert(handler: Any, concurrency: str) -> None:
    with serving(handler, concurrency=concurrency, tls=True) as server:
        said = fails_with(server, ssl.create_default_context())
        found = handshake_of(server)

    assert said == "unable to get local issuer certificate"
    assert (found.failure, found.reason) == (HandshakeFailure.ALERT, "unknown ca")


@on_every_echo
def test_a_client_without_a_certificate_is_told_so_by_a_mutual_server(handler: Any, concurrency: str) -> None:
    with serving(handler, concurrency=concurrency, tls="mutual") as server:
        with server.connect(certificate="missing") as client:
            client.expect_end()
            assert client.outcome == "TLS alert: certificate required"
        found = handshake_of(server)

    assert (found.failure, found.reason) == (HandshakeFailure.CERTIFICATE, "peer did not return a certificate")


def test_a_client_with_a_certificate_of_somebody_else_is_sent_away() -> None:
    trustme = pytest.importorskip("trustme")
    with serving(EchoBytes, tls="mutual") as server:
        context = server.client_context(certificate=False)
        trustme.CA().issue_cert("stranger@example.com").configure_cert(context)
        assert fails_with(server, context) != "nothing"
        found = handshake_of(server)

    assert (found.failure, found.reason) == (HandshakeFailure.CERTIFICATE, "unable to get local issuer certificate")


def test_client_and_server_without_a_version_in_common_do_not_agree() -> None:
    with serving(EchoBytes, tls=True, minimum_version="TLSv1.3") as server:
        context = server.client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert "alert protocol version" in fails_with(server, context)
        found = handshake_of(server)

    assert (found.failure, found.reason) == (HandshakeFailure.PROTOCOL, "unsupported protocol")


def test_versions_and_ciphers_are_what_was_asked_for() -> None:
    options = {"maximum_version": "TLSv1.2", "ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"}
    with serving(EchoBytes, tls=True, **options) as server, secured(server) as client:  # type: ignore[arg-type]
        assert client.version() == "TLSv1.2"
        cipher = client.cipher()

    assert cipher is not None
    assert cipher[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"


def test_the_next_client_is_served() -> None:
    with serving(EchoBytes, tls=True) as server:
        with connect(server) as client:
            client.sendall(b"nonsense, and more of it")
            wait_for_end(server)
        with secured(server) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        wait_for_end(server, 1)

    assert [each.ending for each in server.connections] == [Ending.HANDSHAKE_FAILED, Ending.CLIENT_EOF]


def test_the_hook_is_told_and_the_handler_is_not() -> None:
    told: list[HandshakeFailed] = []

    class Server(TLSMixIn, ThreadingMixIn, TCPServer):
        def handle_handshake_error(self, request: object, client_address: object, error: HandshakeFailed) -> None:
            told.append(error)

    with serving(Server, EchoBytes, tls=True) as server, connect(server) as client:
        client.sendall(struct.pack("!BHH", 22, 0x0303, 0xFFFF))
        wait_for_end(server)

    assert [each.handshake.failure for each in told] == [HandshakeFailure.PROTOCOL]
    assert isinstance(told[0].__cause__, ssl.SSLError)
    assert list(server.errors) == []
