"""A client that ends TLS with an alert, after the handshake."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.security.alerts import alert_record
from tests.security.helpers import ByHand, handshake_of, leave, on_every_handler, on_every_way, secured, served
from tests.support.handlers import EchoBytes
from tests.support.servers import connect, on_every_concurrency, wait_for_end
from tests.support.waiting import DEADLINE
from windsock import Ending, Script, proxy, serving
from windsock.security import certificates
from windsock.security.alerts import ALERTS, alert_of
from windsock.servers import BaseRequestHandler, StreamRequestHandler

AFTER_A_HANDSHAKE = [each for each in ALERTS if each not in ("close_notify", "user_canceled")]
"""In TLS 1.3 the other two only announce an end of the stream."""


def shake(sock: socket.socket, context: ssl.SSLContext, keylog: Path) -> None:
    """Do a handshake, and have its keys written to a file."""
    context.keylog_filename = str(keylog)
    ByHand.shaken(sock, context)


class EchoInTask(BaseRequestHandler):
    async def handle(self) -> None:
        while data := await self.stream.receive_some():
            await self.stream.send_all(data)


@on_every_way
@on_every_handler
def test_a_client_that_rejects_a_server_late_is_an_outcome(way: str, concurrency: str, tmp_path: Path) -> None:
    with served(way, concurrency, EchoBytes, EchoInTask, tls=True) as (server, sock):
        shake(sock, server.client_context(), tmp_path / "keys")
        sock.sendall(alert_record(tmp_path / "keys", ALERTS["bad_certificate"]))
        wait_for_end(server)
        leave(sock)

    assert server.connections[0].ending == "TLS alert"
    tls = server.connections[0].tls
    assert tls.alert == "bad_certificate"
    assert tls.alert.number == 42
    assert (tls.failure, tls.version) == (None, "TLSv1.3")
    assert list(server.errors) == []
    texts = [line.partition("#0 ")[2] for line in server.transcript()]
    assert "client's TLS alert: bad_certificate" in texts
    assert texts[-1] == "ended: TLS alert"


@pytest.mark.parametrize("name", AFTER_A_HANDSHAKE)
def test_every_alert_has_its_name(name: str, tmp_path: Path) -> None:
    with serving(EchoBytes, tls=True) as server, connect(server) as sock:
        shake(sock, server.client_context(), tmp_path / "keys")
        sock.sendall(alert_record(tmp_path / "keys", ALERTS[name]))
        wait_for_end(server)

    tls = handshake_of(server)
    assert (server.connections[0].ending, tls.alert) == (Ending.TLS_ALERT, name)
    assert tls.alert.number == ALERTS[name]
    assert list(server.errors) == []


@on_every_handler
@pytest.mark.parametrize(("newest", "size"), [("TLSv1.3", 32), ("TLSv1.2", 40)])
def test_a_client_that_cannot_decrypt_says_so_by_itself(concurrency: str, newest: str, size: int) -> None:
    with served("direct", concurrency, EchoBytes, EchoInTask, tls=True, maximum_version=newest) as (server, sock):
        client = ByHand.shaken(sock, server.client_context())
        with pytest.raises(ssl.SSLError):
            client.is_given(b"\x17\x03\x03\x00" + bytes([size]) + bytes(size))
        wait_for_end(server)
        leave(sock)

    (connection,) = server.connections
    assert (connection.ending, connection.tls.alert) == (Ending.TLS_ALERT, "bad_record_mac")
    assert list(server.errors) == []


def test_an_alert_in_the_handshake_has_its_name_too() -> None:
    with serving(EchoBytes, tls=True, certificate="expired") as server, connect(server) as sock:
        with pytest.raises(ssl.SSLCertVerificationError):
            server.client_context().wrap_socket(sock, server_hostname="localhost")
        wait_for_end(server)

    tls = handshake_of(server)
    assert server.connections[0].ending == Ending.HANDSHAKE_FAILED
    assert (tls.alert, tls.alert.number) == ("certificate_expired", 45)


def test_a_handler_sees_the_alert_as_the_ssl_module_tells_of_it(tmp_path: Path) -> None:
    class Notes(StreamRequestHandler):
        def handle(self) -> None:
            try:
                self.rfile.readline()
            except ssl.SSLError as error:
                self.server.reason = error.reason

    with serving(Notes, tls=True) as server, connect(server) as sock:
        shake(sock, server.client_context(), tmp_path / "keys")
        sock.sendall(alert_record(tmp_path / "keys", ALERTS["unknown_ca"]))
        wait_for_end(server)

    assert server.server.reason == "TLSV1_ALERT_UNKNOWN_CA"
    assert server.connections[0].ending == Ending.TLS_ALERT


def test_an_alert_of_somebody_else_is_an_error_of_the_handler() -> None:
    with serving(EchoBytes, tls="mutual") as other:

        class Asks(StreamRequestHandler):
            def handle(self) -> None:
                context = other.client_context(certificate=False)
                with secured(other, context) as client:
                    client.recv(1)

        with serving(Asks, tls=True) as server, secured(server) as client:
            assert client.recv(1) == b""
            wait_for_end(server)
            (error,) = server.errors.take()

    assert isinstance(error, ssl.SSLError)
    assert "CERTIFICATE_REQUIRED" in str(error)
    assert server.connections[0].ending == Ending.SERVER_CLOSE


def test_a_user_who_cancels_only_announces_an_end(tmp_path: Path) -> None:
    with serving(EchoBytes, tls=True) as server, connect(server) as sock:
        shake(sock, server.client_context(), tmp_path / "keys")
        sock.sendall(alert_record(tmp_path / "keys", ALERTS["user_canceled"]))
        leave(sock)
        wait_for_end(server)

    assert server.connections[0].ending == Ending.CLIENT_EOF
    assert list(server.errors) == []


@pytest.mark.parametrize(
    ("reason", "text", "name"),
    [
        ("TLSV1_ALERT_USER_CANCELLED", "", "user_canceled"),
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", "", "certificate_unknown"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "", "certificate_required"),
        ("TLSV1_UNRECOGNIZED_NAME", "", "unrecognized_name"),
        ("TLSV1_ALERT_NO_RENEGOTIATION", "", "no_renegotiation"),
        (None, "[SSL] tlsv1 alert no application protocol (_ssl.c:2580)", "no_application_protocol"),
        (None, "[SSL] unknown error (_ssl.c:2580)", None),
        ("WRONG_VERSION_NUMBER", "[SSL: WRONG_VERSION_NUMBER] wrong version number", None),
    ],
)
def test_the_words_of_the_ssl_module(reason: str | None, text: str, name: str | None) -> None:
    error: Any = ssl.SSLError(1, text)
    error.library, error.reason = "SSL", reason

    assert alert_of(error) == name


@on_every_concurrency
def test_a_fake_with_rules_takes_an_alert_as_an_end(concurrency: str, tmp_path: Path) -> None:
    with serving(concurrency=concurrency, tls=True, framing="lines") as server:
        server.on(b"PING").reply(b"PONG\r\n")
        with connect(server) as sock:
            shake(sock, server.client_context(), tmp_path / "keys")
            sock.sendall(alert_record(tmp_path / "keys", ALERTS["internal_error"]))
            wait_for_end(server)
        server.connect().send(b"PING\r\n").expect(b"PONG\r\n").close()

    assert server.connections[0].ending == Ending.TLS_ALERT
    assert list(server.errors) == []


@on_every_concurrency
def test_a_script_that_expected_more_says_what_the_alert_was(concurrency: str, tmp_path: Path) -> None:
    with serving(concurrency=concurrency, tls=True) as server:
        server.play(Script().expect(b"PING"))
        with connect(server) as sock:
            shake(sock, server.client_context(), tmp_path / "keys")
            sock.sendall(alert_record(tmp_path / "keys", ALERTS["decrypt_error"]))
            wait_for_end(server)
        (error,) = server.errors.take()

    assert str(error).splitlines()[0] == (
        "script 1, step 1, expect(b'PING'): the connection ended (TLS alert: decrypt error) before it"
    )
    assert handshake_of(server).alert == "decrypt_error"


def test_a_proxy_that_speaks_tls_records_an_alert(tmp_path: Path) -> None:
    context = certificates.server_context(is_mutual=False)
    certificates.certificate("valid", ("localhost",)).configure_cert(context)
    with serving(EchoBytes) as server, proxy(server.address, tls=context) as front:
        with socket.create_connection(front.address, DEADLINE) as sock:
            shake(sock, certificates.client_context(certificate=False), tmp_path / "keys")
            sock.sendall(alert_record(tmp_path / "keys", ALERTS["access_denied"]))
            front.connections.wait(1)

        tls: Any = front.connections[0].tls
        assert (front.connections[0].ending, tls.alert) == (Ending.TLS_ALERT, "access_denied")
