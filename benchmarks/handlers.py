"""The handlers that windsock's and the stock servers both run."""

from __future__ import annotations

import json
import socket
import socketserver
from http.server import BaseHTTPRequestHandler
from typing import Any

from windsock import servers
from windsock.protocols.record_marking import mark_record
from windsock.protocols.rpc_messages import Accepted, Call
from windsock.servers.rpc import RPCRequestHandler

__all__ = [
    "BLOCK",
    "DOCUMENT",
    "AsyncEcho",
    "Echo",
    "Null",
    "NullSizes",
    "Once",
    "OnceDatagram",
    "OneDocument",
    "Sink",
    "StockEcho",
    "StockOnce",
]

BLOCK = 64 * 1024
DOCUMENT = {"from": "NW", "knots": 5}
"""What the servers of HTTP answer, as JSON."""


def answer_once(request: Any) -> None:
    """Send one piece back."""
    request.sendall(request.recv(4096))


def echo(request: Any) -> None:
    """Send everything back; a small rest does not wait for an acknowledgement (40 ms of it, tcp(7))."""
    request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := request.recv(BLOCK):
        request.sendall(data)


class Once(servers.BaseRequestHandler):
    """One echo, then the end."""

    def handle(self) -> None:
        answer_once(self.request)


class OnceDatagram(servers.BaseRequestHandler):
    """One datagram back."""

    def handle(self) -> None:
        data, server_socket = self.request
        server_socket.sendto(data, self.client_address)


class StockOnce(socketserver.BaseRequestHandler):
    """The same on the standard library's class."""

    def handle(self) -> None:
        answer_once(self.request)


class Echo(servers.BaseRequestHandler):
    """Echoes until the client has ended."""

    def handle(self) -> None:
        echo(self.request)


class AsyncEcho(servers.BaseRequestHandler):
    """The same as a trio task."""

    async def handle(self) -> None:
        while data := await self.stream.receive_some(BLOCK):
            await self.stream.send_all(data)


class StockEcho(socketserver.BaseRequestHandler):
    """The same on the standard library's class."""

    def handle(self) -> None:
        echo(self.request)


class OneDocument(BaseHTTPRequestHandler):
    """Answers GET over HTTP, written by hand."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = json.dumps(DOCUMENT).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class Sink(servers.BaseRequestHandler):
    """Takes everything, and says at the end how much it was."""

    def handle(self) -> None:
        size = 0
        while data := self.request.recv(BLOCK):
            size += len(data)
        self.request.sendall(b"%d" % size)


NULL_CALL = mark_record(Call(1, 0x20000001, 1).encode())
NULL_REPLY = mark_record(Accepted(1).encode())


class Null(RPCRequestHandler):
    """A program of Sun RPC that does nothing."""

    program = 0x20000001
    version = 1


class NullSizes(servers.BaseRequestHandler):
    """Receives and sends the bytes of a null call and its reply, without looking at them."""

    def handle(self) -> None:
        if isinstance(self.request, tuple):
            self.request[1].sendto(NULL_REPLY[4:], self.client_address)
            return
        while self.request.recv(65536):
            self.request.sendall(NULL_REPLY)
