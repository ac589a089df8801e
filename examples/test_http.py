"""HTTP: `urllib.request` asks the standard library's own handler, and a fake; `urllib3` in bad weather."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from windsock import RunningServer
from windsock.faults import Delay, HalfClose
from windsock.protocols import http

urllib3 = pytest.importorskip("urllib3")
fake = pytest.mark.windsock(framing="http")


class Weather(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/wind":
            self.send_error(404)
            return
        body = json.dumps({"from": "NW", "knots": 5}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the server's recording says more."""


def get(server: RunningServer, path: str) -> bytes:
    with urllib.request.urlopen(f"http://{server.host}:{server.port}{path}", timeout=5) as response:
        return bytes(response.read())


@pytest.mark.windsock(handler=Weather)
def test_the_standard_handler_answers(threading_tcp_server: RunningServer) -> None:
    assert json.loads(get(threading_tcp_server, "/wind")) == {"from": "NW", "knots": 5}

    request = threading_tcp_server.requests.only()
    assert request.data.startswith(b"GET /wind HTTP/1.1\r\n")
    assert request.reply.startswith(b"HTTP/1.0 200 OK\r\n")


@pytest.mark.windsock(handler=Weather)
def test_what_is_not_there_is_not_found(forking_tcp_server: RunningServer) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get(forking_tcp_server, "/rain")
    caught.value.close()

    assert forking_tcp_server.requests.only().reply.startswith(b"HTTP/1.0 404 ")


@fake
def test_a_fake_answers_as_told(tcp_server: RunningServer) -> None:
    tcp_server.on(http.get("/wind")).reply(http.response(200, json={"from": "NW"}))
    tcp_server.on(http.get("/rain")).reply(http.response(204))

    assert json.loads(get(tcp_server, "/wind")) == {"from": "NW"}
    assert get(tcp_server, "/rain") == b""
    assert [request.message.path for request in tcp_server.requests] == ["/wind", "/rain"]
    assert tcp_server.requests[0].message.headers["connection"] == "close"


# --- bad weather


@pytest.fixture
def pool(tcp_server: RunningServer) -> Iterator[Any]:
    for path in ("/wind", "/rain"):
        tcp_server.on(http.get(path)).reply(http.response(200, text=path)).optional()
    with urllib3.HTTPConnectionPool(tcp_server.host, tcp_server.port, retries=False, timeout=0.5) as pool:
        yield pool


@fake
def test_a_connection_that_ends_between_two_responses_is_an_error(tcp_server: RunningServer, pool: Any) -> None:
    tcp_server.fault(HalfClose(), direction="downstream", match=http.response(200, text="/rain"))

    assert pool.request("GET", "/wind").data == b"/wind"
    with pytest.raises(urllib3.exceptions.ProtocolError, match="without response"):
        pool.request("GET", "/rain")


@fake
def test_a_response_that_comes_twice_is_not_taken_for_the_next_one(tcp_server: RunningServer, pool: Any) -> None:
    tcp_server.fault(lambda item, context: item.data * 2, direction="downstream", match=http.response(text="/wind"))

    assert [pool.request("GET", path).data for path in ("/wind", "/rain")] == [b"/wind", b"/rain"]


@fake
def test_a_response_that_is_late_is_not_taken_for_the_next_one(tcp_server: RunningServer, pool: Any) -> None:
    tcp_server.fault(Delay(5), direction="downstream", match=http.response(text="/wind"))

    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        pool.request("GET", "/wind")
    assert pool.request("GET", "/rain").data == b"/rain"
