"""Helpers of the checks: clients, handlers, and a log that forked children can write to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from windsock.harness import RunningServer, serving
from windsock.net.deadlines import within
from windsock.net.files import nameless_file
from windsock.net.system import connect, os, socket
from windsock.options.combinations import transport_of
from windsock.servers import BaseRequestHandler, RecordRequestHandler, StreamRequestHandler
from windsock.testing.setting import Setting

__all__ = [
    "EchoLines",
    "EchoRecords",
    "HookLog",
    "client_of",
    "echo_of",
    "expect",
    "receive_all",
    "served",
    "speaks_tls",
    "still_serves",
]

DEADLINE = 5.0
"""Seconds that a client waits for its server."""


class EchoLines(StreamRequestHandler):
    """Send each line back."""

    def handle(self) -> None:
        """See BaseRequestHandler."""
        for line in self.rfile:
            self.wfile.write(line)


class EchoRecords(RecordRequestHandler):
    """Send each record back."""

    def handle(self) -> None:
        """See BaseRequestHandler."""
        for record in self.records():
            self.send_record(record)


def echo_of(setting: Setting) -> type[BaseRequestHandler]:
    """Return the handler that sends back each line of a stream, or each record."""
    return EchoRecords if transport_of(setting.server_class) == "unix_seqpacket" else EchoLines


def expect(actual: object, expected: object, what: str) -> None:
    """Raise AssertionError unless the two are equal; a check turns it into CheckFailed."""
    if actual != expected:
        raise AssertionError(f"{what}: expected {_short(expected)}, got {_short(actual)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


@contextmanager
def served(setting: Setting, handler: Any, **changes: Any) -> Iterator[RunningServer]:
    """Serve a subclass of the checked class, with some changed attributes."""
    made = setting.server_class
    if changes:
        made = type(made.__name__, (made,), changes)
    with serving(made, handler, **setting.options) as server:
        yield server


def client_of(server: RunningServer) -> socket.socket:
    """Return a connected client, with TLS if the server uses it; a datagram client has an address of its own."""
    client = socket.socket(server.server.address_family, getattr(server.server, "socket_type", socket.SOCK_STREAM))
    client.settimeout(max(0.001, within(DEADLINE)))
    try:
        if server.options.transport == "unix_datagram":
            client.bind("")  # an abstract name, chosen by the kernel (unix(7), autobind)
        connect(client, server.server.server_address)
        if speaks_tls(server):
            client = server.client_context().wrap_socket(client, server_hostname="localhost")
    except BaseException:
        client.close()
        raise
    return client


def speaks_tls(server: RunningServer) -> bool:
    """Return whether connections start with a TLS handshake."""
    encryption = server.options.encryption
    return encryption is not None and encryption.begins_with_tls


def receive_all(client: socket.socket) -> bytes:
    """Return all data up to the server's end of the stream."""
    return b"".join(iter(lambda: client.recv(1 << 20), b""))


def still_serves(server: RunningServer, message: bytes = b"next\n") -> None:
    """Check that a new client is served."""
    with client_of(server) as client:
        client.sendall(message)
        expect(client.recv(len(message)), message, "the next client is served")


class HookLog:
    """The names of hooks in the order in which they were called, in all processes."""

    def __init__(self) -> None:
        self._file = nameless_file("the names of hooks", is_large=False)

    def note(self, name: str) -> None:
        """Add a name."""
        os.write(self._file, name.encode() + b"\n")

    def names(self) -> list[str]:
        """Return the names so far."""
        size = os.fstat(self._file).st_size
        return os.pread(self._file, size, 0).decode().split()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def hooks(self, server_class: type[Any], names: list[str]) -> dict[str, Any]:
        """Return attributes for a subclass whose hooks are logged."""
        return {name: self._noting(server_class, name) for name in names}

    def _noting(self, server_class: type[Any], name: str) -> Any:
        original = getattr(server_class, name)

        def hook(server: Any, *args: Any) -> Any:
            self.note(name)
            return original(server, *args)

        return hook

    def handler(self) -> type[BaseRequestHandler]:
        """Return a handler class whose methods are logged."""
        log = self

        class Noting(BaseRequestHandler):
            def setup(self) -> None:
                log.note("setup")

            def handle(self) -> None:
                log.note("handle")

            def finish(self) -> None:
                log.note("finish")

        return Noting
