"""What the tests of scripted clients share: servers of every kind, and handlers for them."""

from __future__ import annotations

import struct
from typing import Any

import pytest

import windsock
from windsock.servers import BaseRequestHandler

KINDS: dict[str, dict[str, Any]] = {
    "tcp": {},
    "ipv6": {"host": "::1"},
    "unix_stream": {"transport": "unix_stream"},
    "udp": {"transport": "udp"},
    "unix_datagram": {"transport": "unix_datagram"},
    "forking": {"concurrency": "forking"},
    "selecting": {"concurrency": "selecting"},
    "trio": {"concurrency": "trio"},
    "tls": {"tls": True},
    "selecting_tls": {"tls": True, "concurrency": "selecting"},
    "forking_tls": {"tls": True, "concurrency": "forking"},
    "mutual": {"tls": "mutual"},
}
STREAMS = [name for name in KINDS if name not in ("udp", "unix_datagram")]
DATAGRAMS = ["udp", "unix_datagram"]
TCP = [name for name in STREAMS if name != "unix_stream"]
PLAIN_TCP = ["tcp", "ipv6", "forking", "selecting", "trio"]
TLS = ["tls", "selecting_tls", "forking_tls", "mutual"]


def serving(kind: str, handler: Any = None, **options: Any) -> windsock.RunningServer:
    return windsock.serving(handler, **KINDS[kind], **options)


def each(names: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", names)


class Prefixed(BaseRequestHandler):
    """Reads messages with two bytes of length before each."""

    def handle(self) -> None:
        stream = self.request.makefile("rb")
        with stream:
            while len(prefix := stream.read(2)) == 2:
                (size,) = struct.unpack(">H", prefix)
                self.request.sendall(b"%d" % len(stream.read(size)))


class Flood(BaseRequestHandler):
    """Sends for as long as somebody takes it."""

    def handle(self) -> None:
        try:
            while True:
                self.request.sendall(bytes(65536))
        except OSError:
            pass
