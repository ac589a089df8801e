"""Servers with TLS: what their clients and their handlers see, and what is recorded."""

from __future__ import annotations

import http.server
import os
import pickle
import socket
import socketserver
import ssl
import struct
import threading
import urllib.request
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.security.helpers import handshake_of, on_every_echo, secured
from tests.support.handlers import EchoBytes, EchoLines, EchoStream, echo_stream
from tests.support.servers import connect, on_every_concurrency, on_every_stream, rest_of, wait_for_end
from tests.support.waiting import DEADLINE, wait_until
from windsock import Ending, combine, serving
from windsock.harness import CONCURRENCIES
from windsock.security import TLSMixIn
from windsock.servers import BaseRequestHandler, StreamRequestHandler, TCPServer, ThreadingMixIn


@on_every_stream
@on_every_concurrency
def test_what_is_recorded_is_the_plaintext(transport: str, concurrency: str) -> None:
    with serving(EchoLines, transport=transport, concurrency=concurrency, tls=True, framing="lines") as server:
        with secured(server) as client:
            client.sendall(b"one\n")
            answer = client.recv(4)
            client.sendall(b"two\n")
            answer += client.recv(4)
            client.unwrap()

        requests = server.requests.wait(2)

    assert answer == b"one\ntwo\n"
    assert [(each.data, each.reply) for each in requests] == [(b"one\n", b"one\n"), (b"two\n", b"two\n")]
    assert server.connections[0].ending == Ending.CLIENT_EOF
    assert not server.connections[0].is_tls_truncated


@on_every_concurrency
def test_the_facts_of_a_handshake_are_recorded(concurrency: str) -> None:
    with serving(EchoBytes, concurrency=concurrency, tls="mutual", alpn=["h2", "http/1.1"]) as server:
        with secured(server, server.client_context(alpn=["http/1.1", "h2"])) as client:
            version, cipher = client.version(), client.cipher()
            assert client.selected_alpn_protocol() == "h2"
            client.unwrap()
        found = handshake_of(server)

    assert cipher is not None
    assert (found.version, found.cipher) == (version, cipher[0])
    assert found.server_name == "localhost"
    assert found.alpn_offered == ("http/1.1", "h2")
    assert found.alpn == "h2"
    assert found.peer_subject.endswith("CN=client@windsock.invalid")
    assert found.failure is None
    said = f"{version}, {cipher[0]}, server name localhost, ALPN offered http/1.1/h2, ALPN h2, client certificate of "
    assert any(said in line for line in server.transcript())


@on_every_echo
def test_a_mute_client_delays_nobody_and_does_not_hold_up_the_stop(handler: Any, concurrency: str) -> None:
    if concurrency == "sync":
        pytest.skip("one request after the other: whoever is first is waited for")
    with serving(handler, concurrency=concurrency, tls=True) as server:
        with connect(server) as mute, secured(server) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"

            server.stop()

            rest_of(mute)
        assert server.connections[0].ending == Ending.STOPPED


def test_a_sync_server_can_be_stopped_in_a_handshake() -> None:
    with serving(EchoBytes, concurrency="sync", tls=True) as server, connect(server) as mute:
        wait_until(lambda: len(server.connections) == 1)

        server.stop()

        rest_of(mute)
    assert server.connections[0].ending == Ending.STOPPED


@on_every_concurrency
def test_large_amounts_go_both_ways_at_once(concurrency: str) -> None:
    size = 3_000_000
    data = os.urandom(size)
    received = bytearray()

    def read(client: ssl.SSLSocket) -> None:
        while len(received) < size:
            piece = client.recv(65536)
            if not piece:
                break
            received.extend(piece)

    with serving(EchoBytes, concurrency=concurrency, tls=True) as server:
        with connect(server) as raw:
            client = _threadsafe_client(server, raw)
            reader = threading.Thread(target=read, args=(client,))
            reader.start()
            client.sendall(data)
            reader.join(DEADLINE)
        wait_for_end(server)

    assert bytes(received) == data
    assert server.connections[0].upstream == data
    assert server.connections[0].downstream == data


def _threadsafe_client(server: Any, raw: socket.socket) -> Any:
    """Return a client that one thread reads and another writes: OpenSSL's own objects are not made for that."""
    from windsock.security import TLSSocket

    client = TLSSocket(raw, server.client_context(), server_side=False, server_hostname="localhost")
    client.do_handshake(DEADLINE)
    return client


class TellsWhatItSees(StreamRequestHandler):
    def handle(self) -> None:
        subject = self.request.getpeercert()["subject"]
        self.wfile.write(f"{self.request.version()} {self.request.server_hostname} {subject[-1][0][1]}\n".encode())


def test_a_handler_can_ask_its_socket_about_tls() -> None:
    with serving(TellsWhatItSees, tls="mutual") as server, secured(server) as client:
        assert client.makefile().readline() == "TLSv1.3 localhost client@windsock.invalid\n"


class Greeter(StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"hello")


async def greet(stream: Any, client_address: Any, server: Any) -> None:
    await stream.send_all(b"hello")


@pytest.mark.parametrize(("handler", "concurrency"), [*product([Greeter], CONCURRENCIES), (greet, "trio")])
def test_the_end_of_the_stream_is_said_in_tls(handler: Any, concurrency: str) -> None:
    with serving(handler, concurrency=concurrency, tls=True) as server, connect(server) as raw:
        context = server.client_context()
        with context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client:
            assert client.recv(5) == b"hello"
            assert client.recv(5) == b""


@on_every_concurrency
def test_a_handler_that_shuts_down_writing_can_read_on(concurrency: str) -> None:
    class HalfCloser(BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"bye")
            self.request.shutdown(socket.SHUT_WR)
            while self.request.recv(100):
                pass

    with serving(HalfCloser, concurrency=concurrency, tls=True) as server:
        with secured(server) as client:
            assert client.recv(3) == b"bye"
            assert client.recv(3) == b""
            client.sendall(b"still here")
        wait_for_end(server)

    assert server.connections[0].upstream == b"still here"


@on_every_concurrency
def test_an_end_without_close_notify_is_noted(concurrency: str) -> None:
    with serving(EchoBytes, concurrency=concurrency, tls=True) as server:
        with secured(server) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        wait_for_end(server)

    assert server.connections[0].ending == Ending.CLIENT_EOF
    assert server.connections[0].is_tls_truncated
    assert any("client EOF, TLS truncated (no close_notify)" in line for line in server.transcript())


@on_every_concurrency
def test_what_a_handler_raises_is_an_error_as_ever(concurrency: str) -> None:
    class Failing(BaseRequestHandler):
        def handle(self) -> None:
            raise ValueError(self.request.recv(100))

    with serving(Failing, concurrency=concurrency, tls=True) as server:
        with secured(server) as client:
            client.sendall(b"bad")
            assert client.recv(100) == b""
        wait_for_end(server)
        (error,) = server.errors.take()

    assert isinstance(error, ValueError)
    assert error.args == (b"bad",)


@on_every_concurrency
def test_a_client_that_resets_is_an_outcome_as_ever(concurrency: str) -> None:
    class Pusher(BaseRequestHandler):
        def handle(self) -> None:
            while True:
                self.request.sendall(bytes(65536))

    with serving(Pusher, concurrency=concurrency, tls=True) as server:
        with secured(server) as client:
            client.recv(1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_for_end(server)

    assert server.connections[0].ending == Ending.CLIENT_RESET
    assert list(server.errors) == []


@on_every_concurrency
def test_a_client_that_breaks_tls_is_an_error_of_the_handlers_call(concurrency: str) -> None:
    with serving(EchoBytes, concurrency=concurrency, tls=True) as server:
        with secured(server) as client, socket.socket(fileno=client.detach()) as raw:
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
            wait_for_end(server)
        (error,) = server.errors.take()

    assert isinstance(error, ssl.SSLError)
    assert server.connections[0].upstream == b""


class Closer(BaseRequestHandler):
    def handle(self) -> None:
        self.request.close()


class Leaver(BaseRequestHandler):
    def handle(self) -> None:
        self.server.shutdown_request(self.request)


@pytest.mark.parametrize("handler", [Closer, Leaver])
def test_a_handler_that_ends_its_connection_itself_ends_the_tls_stream_too(handler: type) -> None:
    with serving(handler, tls=True) as server, connect(server) as raw:
        context = server.client_context()
        with context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client:
            assert client.recv(5) == b""
        wait_for_end(server)

    assert server.connections[0].ending == Ending.SERVER_CLOSE


@on_every_stream
@on_every_concurrency
def test_the_classes_have_names_that_pickle_knows(transport: str, concurrency: str) -> None:
    with serving(EchoBytes, transport=transport, concurrency=concurrency, tls=True) as server:
        found = type(server.server)

    assert found is combine(transport=transport, concurrency=concurrency, mixins=[TLSMixIn])
    assert found.__name__.startswith("TLS")
    assert pickle.loads(pickle.dumps(found)) is found


def test_a_client_that_does_not_take_the_goodbye_does_not_keep_the_server() -> None:
    sent: list[int] = []

    class Pusher(BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(0.05)
            try:
                while True:
                    sent.append(self.request.send(bytes(65536)))
            except TimeoutError:
                pass

    class Server(TLSMixIn, ThreadingMixIn, TCPServer):
        goodbye_timeout = 0.05

    with serving(Server, Pusher, tls=True) as server, secured(server):
        wait_for_end(server)

    assert server.connections[0].ending == Ending.TIMEOUT
    assert len(server.connections[0].downstream) == sum(sent)


class PlainHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *what: Any) -> None:
        pass


@on_every_concurrency
def test_an_unmodified_http_handler_speaks_https(concurrency: str) -> None:
    with serving(PlainHandler, concurrency=concurrency, tls=True) as server:
        url = f"https://localhost:{server.port}/"
        with urllib.request.urlopen(url, context=server.client_context(), timeout=DEADLINE) as response:
            assert response.read() == b"ok"

        assert server.connections[0].upstream.startswith(b"GET / HTTP/1.1\r\n")


def test_a_class_of_the_standard_library_gets_tls_in_front() -> None:
    with serving(http.server.ThreadingHTTPServer, PlainHandler, tls=True) as server:
        url = f"https://localhost:{server.port}/"
        with urllib.request.urlopen(url, context=server.client_context(), timeout=DEADLINE) as response:
            assert response.read() == b"ok"

    assert type(server.server).__name__ == "TLSThreadingHTTPServer"


class OfTheirs(TLSMixIn, socketserver.ThreadingTCPServer):
    daemon_threads = True


def test_the_mix_in_works_over_the_standard_library_without_a_harness() -> None:
    with serving(EchoBytes, tls=True) as other:  # only for its certificates
        OfTheirs.ssl_context = other.server.ssl_context
        context = other.client_context()
    with OfTheirs(("127.0.0.1", 0), EchoBytes) as server:  # type: ignore[arg-type]  # a handler of ours
        loop = threading.Thread(target=server.serve_forever, args=(0.01,))
        loop.start()
        with (
            socket.create_connection(server.socket.getsockname(), timeout=DEADLINE) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as client,
        ):
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
            client.unwrap()
        server.shutdown()
        loop.join(DEADLINE)


def test_a_context_of_ones_own_is_used_as_it_is() -> None:
    with serving(tls=True) as other:
        mine = other.server.ssl_context

    with serving(EchoBytes, tls=mine) as server:
        assert server.server.ssl_context is mine
        with secured(server) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"


def test_a_fake_speaks_tls_as_well() -> None:
    with serving(tls=True, framing="lines") as server:
        server.on(b"PING").reply(b"PONG\n")
        with secured(server) as client:
            client.sendall(b"PING\n")
            assert client.recv(5) == b"PONG\n"


def test_an_outage_keeps_the_certificate() -> None:
    with serving(EchoBytes, tls=True) as server:
        with server.outage():
            pass
        with secured(server) as client:
            client.sendall(b"back")
            assert client.recv(4) == b"back"


def test_a_session_is_served_over_ipv6_too() -> None:
    with serving(EchoBytes, tls=True, host="::1") as server, secured(server, name="::1") as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"


def test_keys_are_written_where_sslkeylogfile_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys.txt"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))

    with serving(EchoBytes, tls=True) as server, secured(server, _context_without_keys(server, monkeypatch)) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"

    assert "CLIENT_TRAFFIC_SECRET_0" in keys.read_text()


def _context_without_keys(server: Any, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    monkeypatch.delenv("SSLKEYLOGFILE")
    context: ssl.SSLContext = server.client_context()
    assert context.keylog_filename is None
    return context


# --- async handlers


@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
@pytest.mark.parametrize("handler", [echo_stream, EchoStream])
def test_what_is_recorded_of_an_async_handler_is_the_plaintext(handler: Any, transport: str) -> None:
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


def test_an_end_without_close_notify_is_no_error_of_an_async_handler() -> None:
    with serving(echo_stream, concurrency="trio", tls=True) as server:
        with secured(server) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        wait_for_end(server)

    assert list(server.errors) == []
