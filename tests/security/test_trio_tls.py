"""Async handlers under TLS: they get an SSLStream, and all is recorded as ever."""

from __future__ import annotations

import ssl
from multiprocessing.connection import Client
from typing import Any

import pytest

from tests.security.helpers import fails_with, handshake_of, secured
from tests.security.test_challenge import KEY, guarded
from tests.support.handlers import EchoStream, echo_stream
from tests.support.servers import connect, rest_of, wait_for_end
from tests.support.waiting import DEADLINE
from windsock import Ending, serving
from windsock.security import HandshakeFailure

pytest.importorskip("trio")


@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
@pytest.mark.parametrize("handler", [echo_stream, EchoStream])
def test_what_is_recorded_is_the_plaintext(handler: Any, transport: str) -> None:
    with serving(handler, transport=transport, concurrency="trio", tls=True, alpn=["x"]) as server:
        with secured(server, server.client_context(alpn=["y", "x"])) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
            client.unwrap()
        found = handshake_of(server)

    assert (found.version, found.server_name) == ("TLSv1.3", "localhost")
    assert (found.alpn_offered, found.alpn) == (("y", "x"), "x")
    assert server.connections[0].upstream == server.connections[0].downstream == b"hello"
    assert server.connections[0].ending == Ending.CLIENT_EOF


async def greet(stream: Any, client_address: Any, server: Any) -> None:
    await stream.send_all(b"hello")


def test_the_end_of_the_stream_is_said_in_tls() -> None:
    with serving(greet, concurrency="trio", tls=True) as server, connect(server) as raw:
        context = server.client_context()
        with context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client:
            assert client.recv(5) == b"hello"
            assert client.recv(5) == b""


def test_an_end_without_close_notify_is_an_end() -> None:
    with serving(echo_stream, concurrency="trio", tls=True) as server:
        with secured(server) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        wait_for_end(server)

    assert list(server.errors) == []


@pytest.mark.parametrize(
    ("sent", "failure"), [(b"GET / HTTP/1.0\r\n\r\n", HandshakeFailure.PLAINTEXT), (None, HandshakeFailure.TIMEOUT)]
)
def test_handshakes_that_fail_are_outcomes(sent: bytes | None, failure: HandshakeFailure) -> None:
    with serving(echo_stream, concurrency="trio", tls=True) as server, connect(server) as client:
        server.server.handshake_timeout = 0.05 if sent is None else DEADLINE
        if sent is not None:
            client.sendall(sent)
        found = handshake_of(server)

    assert found.failure is failure
    assert server.connections[0].ending == Ending.HANDSHAKE_FAILED
    assert list(server.errors) == []


def test_a_client_that_does_not_trust_us_sends_an_alert() -> None:
    with serving(echo_stream, concurrency="trio", tls=True) as server:
        fails_with(server, ssl.create_default_context())
        found = handshake_of(server)

    assert (found.failure, found.reason) == (HandshakeFailure.ALERT, "unknown ca")


def test_a_client_that_leaves_is_an_outcome() -> None:
    with serving(echo_stream, concurrency="trio", tls=True) as server:
        with connect(server):
            pass
        found = handshake_of(server)

    assert found.failure is HandshakeFailure.EOF


def test_a_mute_client_delays_nobody_and_does_not_hold_up_the_stop() -> None:
    with (
        serving(echo_stream, concurrency="trio", tls=True) as server,
        connect(server) as mute,
        secured(server) as client,
    ):
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"

        server.stop()

        rest_of(mute)


def test_an_async_handler_is_behind_the_challenge_too() -> None:
    with serving(guarded(concurrency="trio"), echo_stream) as server:
        with Client(server.address, authkey=KEY) as client:
            client.send_bytes(b"hello")
            assert client.recv_bytes() == b"hello"
        with pytest.raises(Exception, match="digest"):
            Client(server.address, authkey=b"a guess")
        wait_for_end(server, 1)

    assert server.connections[0].upstream == b"\0\0\0\5hello"
    assert server.connections[1].ending == Ending.REFUSED
