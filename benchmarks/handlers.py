"""The handlers that windsock's and the stock servers both run."""

from __future__ import annotations

import socketserver
from typing import Any

from windsock import servers

__all__ = ["Once", "OnceDatagram", "StockOnce"]


def answer_once(request: Any) -> None:
    """Send one piece back."""
    request.sendall(request.recv(4096))


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
