"""Fakes of HTTP: rules and answers, with real clients, over every stream, direct, relayed and proxied, and TLS."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import urllib.request
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.support.servers import on_every_stream_kind
from tests.support.waiting import DEADLINE
from windsock import RunningServer, faults, proxy, scripted_client, serving
from windsock.protocols import DecodeError, FramingError, http

requests: Any = pytest.importorskip("requests")


class Client(HTTPConnection):
    """http.client, to a server of any kind of stream."""

    def __init__(self, address: Any) -> None:
        super().__init__("windsock.example", timeout=DEADLINE)
        self.address = address

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(self.address)

    def ask(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        self.request(method, path, **options)
        reply = self.getresponse()
        return reply.status, reply.read()


def client_of(server: RunningServer) -> contextlib.closing[Client]:
    return contextlib.closing(Client(server.address))


def url(server: RunningServer, path: str) -> str:
    return f"http://{server.host}:{server.port}{path}"


@pytest.mark.parametrize("way", ["direct", "relayed", "proxied"])
@on_every_stream_kind
def test_a_client_asks_several_times_on_one_connection(transport: str, concurrency: str, way: str) -> None:
    options: dict[str, Any] = {"transport": transport, "framing": "http"}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(concurrency=concurrency, relay=way == "relayed", **options))
        server.on(http.get("/x")).reply(http.response(200, json={"a": 1}))
        server.on(http.head("/x")).reply(http.response(200, json={"a": 1}))
        server.on(http.post("/y", text="hello")).reply(http.response(201, chunks=[b"ab", b"c"], trailers={"T": "1"}))
        server.on(http.delete("/x")).reply(http.response(204))
        subject: Any = server
        if way == "proxied":
            subject = stack.enter_context(proxy(server.address, **options))
        with client_of(subject) as client:
            assert client.ask("GET", "/x") == (200, b'{"a": 1}')
            assert client.ask("HEAD", "/x") == (200, b"")
            assert client.ask("POST", "/y", body=b"hello") == (201, b"abc")
            assert client.ask("DELETE", "/x") == (204, b"")
            assert client.ask("POST", "/y", body=iter([b"hel", b"lo"]), encode_chunked=True) == (201, b"abc")

        asked = subject.requests.wait(5)
        assert [str(each.message) for each in asked] == ["GET /x", "HEAD /x", "POST /y (5 B)", "DELETE /x",
                                                         "POST /y (5 B)"]  # fmt: skip
        assert [each.reply_message.status for each in asked] == [200, 200, 201, 204, 201]
        assert asked[0].message.headers["host"] == "windsock.example"
        assert asked[0].reply_message.json() == {"a": 1}
        assert asked[2].reply_message.trailers["t"] == "1"
        assert asked[4].message.chunks == (3, 2)
        assert len(subject.connections) == 1


@pytest.mark.parametrize("library", ["urllib", "requests"])
def test_clients_of_python_get_answers(library: str) -> None:
    with serving(framing="http") as server:
        server.on(http.get("/x", query={"q": "a b"})).reply(http.response(200, text="grüße", headers={"X-A": "b"}))
        address = url(server, "/x?q=a+b")
        if library == "urllib":
            with urllib.request.urlopen(address, timeout=DEADLINE) as reply:
                assert (reply.status, reply.headers["x-a"], reply.read()) == (200, "b", "grüße".encode())
        else:
            with requests.get(address, timeout=DEADLINE) as found:
                assert (found.status_code, found.headers["x-a"], found.text) == (200, "b", "grüße")


def test_a_client_over_tls_keeps_its_connection() -> None:
    with serving(framing="http", tls=True) as server:
        server.on(http.get("/x")).reply(http.response(200, json=[1]))
        context = server.client_context()
        with contextlib.closing(HTTPSConnection("localhost", server.port, context=context, timeout=DEADLINE)) as client:
            for _ in range(3):
                client.request("GET", "/x")
                assert client.getresponse().read() == b"[1]"

        assert [str(each.message) for each in server.requests.wait(3)] == ["GET /x"] * 3
        assert len(server.connections) == 1


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def curl(*words: str) -> str:
    ended = subprocess.run(["curl", "-sS", "-m", str(DEADLINE), *words], capture_output=True, check=True, timeout=60)
    return ended.stdout.decode()


@needs_curl
def test_curl_waits_for_100_continue_and_gets_it() -> None:
    with serving(framing="http") as server:
        server.on(http.put("/x", text="hello")).reply(http.response(201))
        waits = ["-X", "PUT", "-d", "hello", "-H", "Expect: 100-continue", "--expect100-timeout", str(DEADLINE)]
        # a second request after the first one on the same connection, whose reply must stay its own
        assert curl("-w", "%{http_code} ", *waits, url(server, "/x"), url(server, "/x")) == "201 201 "
        server.drain()

        assert [each.reply_messages for each in server.requests] == [[http.response(201).message]] * 2
        assert sum("100 Continue" in line for line in server.transcript()) == 2
        assert len(server.connections) == 1


@needs_curl
def test_curl_goes_through_a_tunnel() -> None:
    with serving(framing="http") as server:
        server.on(http.request("CONNECT", "a.example:80")).reply(http.response(200))
        server.on(lambda message: message.startswith(b"GET /x ")).reply(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        )
        assert curl("-p", "-x", url(server, ""), "http://a.example/x") == "hi"


# --- connections


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (http.get("/", headers={"Connection": "close"}), http.response(200, text="hi")),
        (http.get("/"), http.response(200, text="hi", headers={"Connection": "close"})),
        (http.HTTPRequest("GET", "/", version="HTTP/1.0"), http.response(200, text="hi")),
        (http.get("/"), http.response(200, body=b"hi", headers={"Transfer-Encoding": "identity"})),
    ],
)
@pytest.mark.parametrize("method", ["reply", "reply_with"])
def test_a_connection_ends_where_http_has_it(ask: Any, answer: Any, method: str) -> None:
    with serving(framing="http") as server:
        if method == "reply":
            server.on(http.get("/")).reply(answer)
        else:
            server.on(http.get("/")).reply_with(lambda message: answer)
        with server.connect() as client:
            client.send(ask).expect(bytes(answer)).expect_eof()
        server.drain()

        assert server.requests.only().reply_message.body == b"hi"


def test_a_function_answers_head_without_a_body() -> None:
    with serving(framing="http") as server:
        server.on(http.request()).reply_with(lambda message: http.response(200, text="hi"))
        with client_of(server) as client:
            assert [client.ask("HEAD", "/"), client.ask("GET", "/")] == [(200, b""), (200, b"hi")]


def test_requests_sent_at_once_are_answered_in_order() -> None:
    with serving(framing="http") as server:
        server.on(http.head()).reply(http.response(200, text="a"))
        server.on(http.get()).reply(http.response(200, text="b"))
        with server.connect() as client:
            client.send(bytes(http.head("/")) + bytes(http.get("/")), pieces=3)
            client.expect(until=b"Content-Length: 1\r\n\r\n").expect(http.response(200, text="b"))

        assert [each.reply_message.body for each in server.requests.wait(2)] == [b"", b"b"]


def test_what_follows_an_upgrade_is_bytes() -> None:
    with serving(framing="http") as server:
        switching = http.response(101, headers={"Connection": "Upgrade", "Upgrade": "echo"})
        server.on(http.get("/", headers={"Upgrade": "echo"})).reply(switching)
        server.on(b"hello").reply(b"HELLO")
        with server.connect() as client:
            client.send(http.get("/", headers={"Upgrade": "echo"})).expect(switching)
            client.send(b"hello").expect(b"HELLO")

        request = server.requests.wait(2)[1]
        assert (request.data, request.reply) == (b"hello", b"HELLO")
        with pytest.raises(DecodeError, match="is not a request line"):
            _ = request.message


class Standard(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"until the end")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the server's recording says more."""


def test_a_response_that_ends_with_the_connection_is_read() -> None:
    with serving(Standard, framing="http") as server:
        with client_of(server) as client:
            assert client.ask("GET", "/") == (200, b"until the end")
        server.drain()

        reply = server.requests.only().reply_message
        assert (reply.version, reply.status, reply.body) == ("HTTP/1.0", 200, b"until the end")


# --- scripts, faults, near misses


def test_a_scripted_client_sends_and_expects_messages() -> None:
    with serving(framing="http") as server:
        server.on(http.get("/x")).reply(http.response(200, json=[1]))
        with server.connect() as client:
            client.send(http.get("/x")).expect(http.response(200, json=[1]))
        server.drain()

        steps = repr(server.connections[0].as_script())
        assert ".send(http.HTTPRequest('GET', '/x', headers={'Host': 'localhost'}))" in steps
        assert ".expect(http.HTTPResponse(200, headers=" in steps


def test_a_near_miss_says_what_differs() -> None:
    with serving(framing="http", strict=False) as server:
        server.on(http.get("/x")).reply(http.response(200)).optional()
        server.on(http.get("/y", headers={"X": "1"})).reply(http.response(200)).optional()
        with server.connect() as client:
            client.send(http.get("/y"))
        server.drain()

        error = str(server.errors[0])
        assert "on(http.get('/x')): it is GET /y" in error
        assert "on(http.get('/y', headers={'X': '1'})): it is GET /y; there is no X" in error


def test_a_near_miss_shows_no_secrets() -> None:
    with serving(framing="http", strict=False) as server:
        server.on(http.get("/x", headers={"Authorization": "Basic YTpi"})).reply(http.response(200)).optional()
        server.on(http.get("/x", json={})).reply(http.response(200)).optional()
        with server.connect() as client:
            client.send(http.get("/x?password=wordpass", headers={"Authorization": "Basic c2VjcmV0"}))
        server.drain()

        shown = [str(server.errors[0]), *server.transcript()]
        assert [each for each in shown if "wordpass" in each or "c2VjcmV0" in each] == []


def test_a_fault_finds_a_response_by_its_status() -> None:
    with serving(framing="http") as server:
        fault = server.fault(faults.HalfClose(), direction="downstream", match=http.response(200, text="b"), nth=2)
        server.on(http.get("/a")).reply(http.response(200, text="a"), pieces=3)
        server.on(http.get("/b")).reply(http.response(200, text="b"), pieces=3)
        with server.connect() as client:
            client.send(http.get("/b")).expect(http.response(200, text="b"))
            client.send(http.get("/a")).expect(http.response(200, text="a"))
            client.send(http.get("/b")).expect_eof()
        assert fault.fired == 1


# --- bad input


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello\r\n", "is not a request line"),
        (b"\x16\x03\x01\x02\x00\x01", "it looks like a TLS handshake"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "expected one number of bytes"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "is no size of a chunk"),
    ],
)
def test_bytes_that_are_no_request_are_an_error_and_kept(data: bytes, reason: str) -> None:
    with serving(framing="http", strict=False) as server:
        server.reply(http.response(200), times=None)
        with server.connect() as client:
            client.send(data)
            server.connections.wait(1)
            client.expect_end()
        server.drain()

        assert reason in str(server.errors[0])
        assert server.connections[0].upstream == data
        with pytest.raises(FramingError, match=reason):
            _ = server.requests[0]


def test_a_malformed_request_is_kept_with_the_reason() -> None:
    data = b"GET / HTTP/1.1\r\nno header\r\n\r\n"
    with serving(framing="http") as server:
        server.reply(http.response(400))
        with scripted_client(server.address) as client:
            client.send(data).expect(http.response(400))

        request = server.requests.wait(1)[0]
        assert request.data == data
        with pytest.raises(DecodeError, match="b'no header' is no header"):
            _ = request.message
        assert any("no HTTP message (offset 0, header: b'no header'" in line for line in server.transcript())
