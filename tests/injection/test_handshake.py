"""Faults of the TLS handshake: what a client of the standard library makes of them, for every kind of handler."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

import windsock
from tests.support.waiting import DEADLINE
from windsock.faults import Fault, Reset, TLSAlert, TLSPlaintext, TLSStall, TLSTruncate
from windsock.harness import CONCURRENCIES
from windsock.servers import StreamRequestHandler

SHORT = 0.2


class Greet(StreamRequestHandler):
    """Answers one line, and closes."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())


async def greet(stream: Any, client_address: object, server: object) -> None:
    await stream.send_all(await stream.receive_some())


KINDS = [*((Greet, each) for each in CONCURRENCIES), (greet, "trio")]
on_every_handler = pytest.mark.parametrize(
    ("handler", "concurrency"), KINDS, ids=lambda each: getattr(each, "__name__", each)
)
on_relayed_or_not = pytest.mark.parametrize("relay", [False, True], ids=["direct", "relayed"])


def visit(server: windsock.RunningServer, timeout: float = DEADLINE) -> bytes:
    """Say something as a client that minds a truncated end; return the answer."""
    raw = socket.create_connection(server.address, timeout=timeout)
    context = server.client_context()
    with context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client:
        client.sendall(b"hello\n")
        return b"".join(iter(lambda: client.recv(100), b""))


OUTCOMES: list[tuple[Fault, type[Exception], str]] = [
    (TLSPlaintext(), ssl.SSLError, "WRONG_VERSION_NUMBER|wrong version number"),
    (TLSStall(), TimeoutError, "timed out"),
    (TLSStall("server_hello"), TimeoutError, "timed out"),
    (TLSStall("finished"), TimeoutError, "timed out"),
    (TLSAlert(), ssl.SSLError, "HANDSHAKE_FAILURE"),
    (TLSAlert("unrecognized_name"), ssl.SSLError, "UNRECOGNIZED_NAME"),
    (TLSAlert("access_denied", "server_hello"), ssl.SSLError, "ACCESS_DENIED"),
    (TLSTruncate(), ssl.SSLError, "EOF"),
    (TLSTruncate(3), ssl.SSLError, "EOF"),
]


@on_every_handler
@on_relayed_or_not
@pytest.mark.parametrize(
    ("fault", "error", "words"), OUTCOMES, ids=lambda each: repr(each) if isinstance(each, Fault) else ""
)
def test_a_handshake_goes_wrong_once(
    fault: Fault, error: type[Exception], words: str, handler: Any, concurrency: str, relay: bool
) -> None:
    with windsock.serving(handler, concurrency=concurrency, tls=True, relay=relay) as server:
        with server.fault(fault, times=1) as installed:
            with pytest.raises(error, match=words):
                visit(server, SHORT if error is TimeoutError else DEADLINE)
            assert visit(server) == b"hello\n"

        assert installed.fired == 1
        assert any(f"~ fault: {fault!r}" in line for line in server.transcript())


def test_what_a_spoilt_handshake_came_to_is_recorded() -> None:
    server = windsock.serving(Greet, tls=True, faults=[TLSAlert("unknown_ca")])
    with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
        visit(server)
    server.finish()

    (connection,) = server.connections
    assert connection.ending == "handshake failed"
    assert connection.tls is not None
    assert connection.tls.reason == "on purpose: TLSAlert('unknown_ca')"


def test_a_truncated_answer_is_cut_at_the_byte() -> None:
    with windsock.serving(Greet, tls=True, faults=[TLSTruncate(3)]) as server:
        raw = socket.create_connection(server.address, timeout=DEADLINE)
        with server.client_context().wrap_socket(raw, server_hostname="localhost") as client:  # which minds no such end
            client.sendall(b"hello\n")
            assert b"".join(iter(lambda: client.recv(100), b"")) == b"hel"


@on_every_handler
@on_relayed_or_not
@pytest.mark.parametrize("fault", [TLSTruncate(), TLSTruncate(3)], ids=repr)
def test_the_line_of_a_truncation_stands_where_the_stream_ends(
    fault: Fault, handler: Any, concurrency: str, relay: bool
) -> None:
    with windsock.serving(handler, concurrency=concurrency, tls=True, relay=relay, faults=[fault]) as server:
        with pytest.raises(ssl.SSLError):
            visit(server)
        server.connections.wait(1)
        lines = [line.partition("#0 ")[2] for line in server.transcript()]

    (at,) = [number for number, line in enumerate(lines) if line.startswith("~ fault: ")]
    assert lines[at] == f"~ fault: {fault!r}: ended the stream without close_notify"
    assert lines[1].startswith("TLSv1.3, ")
    assert "> 6 B b'hello\\n'" in lines[:at]
    assert any(line.startswith("ended: ") for line in lines[at:])


def test_the_line_of_a_truncation_in_a_proxy_stands_where_the_stream_ends() -> None:
    with windsock.serving(Greet, tls=True) as server:
        with windsock.proxy(server.address, faults=[TLSTruncate()]) as proxy:
            raw = socket.create_connection(proxy.address, timeout=DEADLINE)
            context = server.client_context()
            with context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client:
                client.sendall(b"hello\n")
                with pytest.raises(ssl.SSLError):
                    list(iter(lambda: client.recv(100), b""))
            proxy.connections.wait(1)
        lines = [line.partition("#0 ")[2] for line in proxy.transcript()]

    (at,) = [number for number, line in enumerate(lines) if line.startswith("~ fault: ")]
    assert lines[at] == "~ fault: TLSTruncate(): ended the stream without close_notify"
    assert len([line for line in lines[:at] if line[:1] in ("<", ">")]) >= 4


def test_a_stalled_handshake_does_not_hold_up_the_stop() -> None:
    server = windsock.serving(Greet, tls=True, faults=[TLSStall()])
    with pytest.raises(TimeoutError):
        visit(server, SHORT)
    raw = socket.create_connection(server.address, timeout=DEADLINE)

    server.finish()

    raw.close()


def test_encrypted_bytes_are_what_a_fault_of_streams_acts_on() -> None:
    with windsock.serving(
        Greet, tls=True, faults=[(Reset(after_bytes=100), {"direction": "downstream", "times": 1})]
    ) as server:
        with pytest.raises(ConnectionResetError):
            visit(server)
        assert visit(server) == b"hello\n"


@pytest.mark.parametrize(
    ("options", "fault", "message"),
    [
        ({}, TLSStall(), "does not speak TLS"),
        ({"tls": True}, TLSAlert(stage="finished"), "expected stage='client_hello' or 'server_hello'"),
        ({"tls": True, "minimum_version": "TLSv1.3"}, TLSAlert(stage="server_hello"), "may speak TLS 1.2"),
    ],
)
def test_what_cannot_happen_says_so(options: dict[str, Any], fault: Fault, message: str) -> None:
    with windsock.serving(**options) as server, pytest.raises(windsock.UsageError, match=message):
        server.fault(fault)
