"""Classes that are not of the family: recorded, strict and stopped like ours, and not changed."""

from __future__ import annotations

import http.server
import os
import socket
import socketserver
import threading
import urllib.request
import wsgiref.simple_server
import xmlrpc.client
import xmlrpc.server
from collections.abc import Callable
from time import sleep
from typing import Any

import pytest
import werkzeug.serving

import windsock
from tests.support.waiting import HOUR, ends_in_time

STREAMS = [
    socketserver.TCPServer,
    socketserver.ThreadingTCPServer,
    socketserver.ForkingTCPServer,
    socketserver.UnixStreamServer,
    socketserver.ThreadingUnixStreamServer,
]
DATAGRAMS = [socketserver.UDPServer, socketserver.ThreadingUDPServer, socketserver.ForkingUDPServer]


def polling_by_the_hour(server_class: type) -> type:
    """Return the class with a loop that would notice a stop only after an hour, if it had to poll."""

    def serve_forever(self: Any, poll_interval: float = HOUR) -> None:
        server_class.serve_forever(self, HOUR)  # type: ignore[attr-defined]  # what windsock is given has it

    return type(server_class.__name__, (server_class,), {"serve_forever": serve_forever})


class Lines(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            if line == b"bad\n":
                raise ValueError("bad line")
            self.wfile.write(line)


class Packet(socketserver.DatagramRequestHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.read())


class QuietHTTP(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: Any) -> None:
        pass


class QuietXMLRPC(xmlrpc.server.SimpleXMLRPCRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class QuietWSGI(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def connected(server: windsock.RunningServer) -> socket.socket:
    client = socket.socket(server.server.address_family, server.server.socket_type)
    client.settimeout(5)
    try:
        client.connect(server.address)
    except OSError:
        client.close()
        raise
    return client


def by_name(server_class: type) -> str:
    return server_class.__name__


@pytest.mark.parametrize("server_class", STREAMS, ids=by_name)
def test_a_stream_server_is_recorded(server_class: type) -> None:
    with windsock.serving(server_class, Lines, framing="lines") as server:
        with connected(server) as client:
            client.sendall(b"one\n")
            assert client.recv(100) == b"one\n"
        request = server.requests.only()

        assert type(server.server) is server_class
        assert (request.data, request.reply) == (b"one\n", b"one\n")


@pytest.mark.parametrize("server_class", DATAGRAMS, ids=by_name)
def test_a_datagram_server_is_recorded(server_class: type) -> None:
    with windsock.serving(server_class, Packet) as server, connected(server) as client:
        client.send(b"one")
        assert client.recv(100) == b"one"
        request = server.requests.only()

        assert (request.data, request.reply) == (b"one", b"one")


@pytest.mark.parametrize("server_class", STREAMS, ids=by_name)
def test_it_stops_at_once_although_a_client_stays(server_class: type) -> None:
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    server = windsock.serving(polling_by_the_hour(server_class), Lines, timeout=HOUR)
    client = connected(server)
    client.sendall(b"one\n")
    assert client.recv(100) == b"one\n"

    with ends_in_time():
        server.finish()
    client.close()

    assert server.connections[0].ending == "stopped"
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == (threads, descriptors)


@pytest.mark.parametrize("server_class", STREAMS[:2], ids=by_name)
def test_a_handlers_error_fails_strictly(server_class: type) -> None:
    server = windsock.serving(server_class, Lines)
    with connected(server) as client:
        client.sendall(b"bad\n")
        assert client.recv(100) == b""

    with pytest.raises(ExceptionGroup, match="errors in handlers") as caught:
        server.finish()

    assert [str(error) for error in caught.value.exceptions] == ["bad line"]


@pytest.mark.parametrize("server_class", STREAMS[:2], ids=by_name)
def test_a_client_that_resets_is_no_error(server_class: type) -> None:
    with windsock.serving(server_class, Lines) as server:
        client = connected(server)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(b"one\n")
        client.close()

        server.requests.wait(1)

        assert server.connections[0].ending in ("client reset", "client EOF")  # no RST on Unix: no reset there


def fetch(server: windsock.RunningServer) -> bytes:
    with urllib.request.urlopen(f"http://{server.host}:{server.port}/", timeout=5) as response:
        body: bytes = response.read()
    return body


def test_an_http_server_serves() -> None:
    with windsock.serving(http.server.ThreadingHTTPServer, QuietHTTP) as server:
        assert fetch(server) == b"hello"
        assert server.requests.only().data.startswith(b"GET / HTTP/1.1\r\n")


def test_no_name_is_looked_up_for_a_loopback_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def slow(name: str = "") -> str:
        asked.append(name)
        return name

    monkeypatch.setattr(socket, "getfqdn", slow)

    with windsock.serving(http.server.HTTPServer, QuietHTTP) as server:
        assert fetch(server) == b"hello"

    assert asked == []
    assert socket.getfqdn is slow


def test_a_wsgi_server_serves() -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    with windsock.serving(wsgiref.simple_server.WSGIServer, QuietWSGI) as server:
        server.server.set_app(app)

        assert fetch(server) == b"hello"


@pytest.mark.parametrize("server_class", [werkzeug.serving.BaseWSGIServer, werkzeug.serving.ThreadedWSGIServer])
def test_werkzeugs_servers_get_their_app(server_class: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(werkzeug.serving.WSGIRequestHandler, "log", lambda *args: None)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        return [b"hello"]

    server = windsock.serving(polling_by_the_hour(server_class), app, timeout=HOUR)
    assert fetch(server) == b"hello"
    with ends_in_time():
        server.finish()

    assert server.requests.only().data.startswith(b"GET / HTTP/1.1\r\n")


def test_an_xmlrpc_server_serves_with_a_handler_and_with_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    for handler in (QuietXMLRPC, None):
        with windsock.serving(xmlrpc.server.SimpleXMLRPCServer, handler) as server:
            server.server.register_function(pow)
            with xmlrpc.client.ServerProxy(f"http://{server.host}:{server.port}") as proxy:
                assert proxy.pow(2, 5) == 32


def test_a_strangers_server_has_an_outage() -> None:
    with windsock.serving(socketserver.ThreadingTCPServer, Lines) as server:
        with server.outage(), pytest.raises(ConnectionRefusedError):
            connected(server)

        with connected(server) as client:
            client.sendall(b"back\n")
            assert client.recv(100) == b"back\n"


def test_a_class_whose_loop_is_its_own_is_stopped_by_shutdown() -> None:
    class Own(socketserver.TCPServer):
        def serve_forever(self, poll_interval: float = 0.01) -> None:
            self.over = threading.Event()
            while not self.over.is_set():
                self.handle_request()

        timeout = 0.01

        def shutdown(self) -> None:
            self.over.set()

    server = windsock.serving(Own, Lines)
    with connected(server) as client:
        client.sendall(b"one\n")
        assert client.recv(100) == b"one\n"

    server.finish()

    assert server.requests[0].data == b"one\n"


def test_a_handler_of_datagrams_that_is_at_work_when_its_server_stops_can_still_reply() -> None:
    begun = threading.Event()

    class Late(socketserver.DatagramRequestHandler):
        def handle(self) -> None:
            begun.set()
            for _ in range(20):  # as long as a server takes to close its socket
                if self.socket.fileno() >= 0:
                    sleep(0.01)
            self.wfile.write(b"late")

    server = windsock.serving(socketserver.ThreadingUDPServer, Late)
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(b"x", server.address)
        assert begun.wait(5)

        server.stop()

        assert client.recv(100) == b"late"
    assert not server.errors
