"""What the tests of encryption share: TLS clients with deadlines, and handlers."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.helpers import DEADLINE, connect
from windsock import RunningServer
from windsock.harness import CONCURRENCIES
from windsock.servers import StreamRequestHandler

STREAMS = ["tcp", "unix_stream"]

on_every_concurrency = pytest.mark.parametrize("concurrency", list(CONCURRENCIES))
on_every_stream = pytest.mark.parametrize("transport", STREAMS)


@contextlib.contextmanager
def secured(
    server: RunningServer, context: ssl.SSLContext | None = None, name: str = "localhost"
) -> Iterator[ssl.SSLSocket]:
    """Give a client whose handshake with the server is done."""
    with connect(server) as raw:
        context = context or server.client_context()
        with context.wrap_socket(raw, server_hostname=name) as client:
            yield client


def fails_with(server: RunningServer, context: ssl.SSLContext | None = None, name: str = "localhost") -> str:
    """Return what a client that should not get through says."""
    try:
        with secured(server, context, name) as client:
            client.recv(1)  # in TLS 1.3 a server's refusal comes behind the handshake
    except OSError as error:
        return str(getattr(error, "verify_message", "")) or str(error)
    return "nothing"


def handshake_of(server: RunningServer, index: int = 0) -> Any:
    """Return what a connection's handshake came to, as soon as its end is known."""
    wait_for_end(server, index)
    return server.connections[index].tls


def wait_for_end(server: RunningServer, index: int = 0) -> None:
    """Wait until the n-th connection has been closed."""
    recorder = server._recorder
    assert recorder.wait_until(
        lambda: len(server.connections) > index and server.connections[index].closed is not None, DEADLINE
    )


class Echo(StreamRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class EchoLines(StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)
