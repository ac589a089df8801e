"""What every server is asked in the same way: one request of 64 bytes, from a plain socket."""

from __future__ import annotations

import socket
from typing import Any

__all__ = ["MESSAGE", "http", "stream", "stream_unix", "udp"]

MESSAGE = b"0123456789abcdef" * 4
DEADLINE = 5.0
"""Seconds that a client waits at the most."""


def stream(address: Any) -> None:
    """Ask over TCP."""
    with socket.socket() as client:
        _ask(client, address)


def stream_unix(address: Any) -> None:
    """Ask over a Unix stream socket."""
    with socket.socket(socket.AF_UNIX) as client:
        _ask(client, address)


def udp(address: Any) -> None:
    """Ask over UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        _ask(client, address)


def http(address: Any) -> None:
    """Ask for `/` over HTTP, and read the answer to its end."""
    with socket.socket() as client:
        client.settimeout(DEADLINE)
        client.connect(address)
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    assert b" 200 " in answer[:20], answer[:80]


def _ask(client: socket.socket, address: Any) -> None:
    client.settimeout(DEADLINE)
    client.connect(address)
    client.sendall(MESSAGE)
    assert client.recv(len(MESSAGE)) == MESSAGE
