"""HTTP: `urllib.request` asks the standard library's own handler, and a fake."""

from __future__ import annotations

import http.server
import json
import re
import urllib.error
import urllib.request
from typing import Any

import pytest

from windsock import RunningServer


class Weather(http.server.BaseHTTPRequestHandler):
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


@pytest.mark.windsock(framing=b"\r\n\r\n")
def test_a_fake_answers_as_told(tcp_server: RunningServer) -> None:
    tcp_server.on(re.compile(rb"^GET /wind ")).reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nNW")
    tcp_server.on(re.compile(rb"^GET /rain ")).reply(b"HTTP/1.1 204 No Content\r\n\r\n")

    assert get(tcp_server, "/wind") == b"NW"
    assert get(tcp_server, "/rain") == b""
    assert [request.data.split()[1] for request in tcp_server.requests] == [b"/wind", b"/rain"]
