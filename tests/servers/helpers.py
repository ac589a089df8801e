"""What the tests of the family share: classes by kind, servers in threads, clients and notes with deadlines."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.handlers import EchoDatagram, EchoLines
from tests.support.waiting import DEADLINE, wait_until
from windsock import servers

TCP: list[Any] = [
    servers.TCPServer,
    servers.ThreadingTCPServer,
    servers.ForkingTCPServer,
    servers.SelectingTCPServer,
    servers.TrioTCPServer,
]
UNIX_STREAM: list[Any] = [
    servers.UnixStreamServer,
    servers.ThreadingUnixStreamServer,
    servers.ForkingUnixStreamServer,
    servers.SelectingUnixStreamServer,
    servers.TrioUnixStreamServer,
]
UDP: list[Any] = [
    servers.UDPServer,
    servers.ThreadingUDPServer,
    servers.ForkingUDPServer,
    servers.SelectingUDPServer,
    servers.TrioUDPServer,
]
UNIX_DATAGRAM: list[Any] = [
    servers.UnixDatagramServer,
    servers.ThreadingUnixDatagramServer,
    servers.ForkingUnixDatagramServer,
    servers.SelectingUnixDatagramServer,
    servers.TrioUnixDatagramServer,
]
STREAM = TCP + UNIX_STREAM
DATAGRAM = UDP + UNIX_DATAGRAM
FORKING = [kind for kind in STREAM + DATAGRAM if issubclass(kind, servers.ForkingMixIn)]
IN_ONE_PROCESS = [kind for kind in STREAM + DATAGRAM if not issubclass(kind, servers.ForkingMixIn)]

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="abstract names, pidfds and /proc are Linux's")


def each(classes: list[Any], name: str = "kind") -> pytest.MarkDecorator:
    """Run a test once for each of the classes."""
    return pytest.mark.parametrize(name, classes, ids=lambda kind: kind.__name__)


def wait_until_serving(server: Any, threads: int = 1) -> None:
    """Wait until so many threads serve, without a request that would show it."""
    wait_until(lambda: len(server._control._loops) == threads, "the loop")


class Notes:
    """Short texts from handlers and hooks, in order, from whatever thread or process they run in."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._reader.settimeout(DEADLINE)

    def write(self, text: str) -> None:
        self._writer.send(text.encode())

    def read(self) -> str:
        return self._reader.recv(65536).decode()

    def read_all(self) -> list[str]:
        """Return what has been written so far."""
        found = []
        while self.wait(0):
            found.append(self.read())
        return found

    def wait(self, seconds: float) -> bool:
        """Return whether a note comes within so many seconds."""
        return bool(select.select([self._reader], [], [], seconds)[0])

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


class Told:
    """A mix-in for servers: notes what the hooks for failures are told, and writes nothing to stderr."""

    notes: Notes

    def handle_error(self, request: Any, client_address: Any) -> None:
        self.notes.write(f"error {type(sys.exception()).__name__}")

    def handle_disconnect(self, request: Any, client_address: Any) -> None:
        self.notes.write("disconnect")

    def handle_accept_error(self, error: OSError) -> None:
        self.notes.write(f"accept error {error.errno}")


def echo_for(kind: Any) -> Any:
    """Return the handler class that echoes over this kind of server."""
    return EchoDatagram if kind.socket_type == socket.SOCK_DGRAM else EchoLines


class Place:
    """Servers and clients of one test; all of them are closed at its end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.notes = Notes()
        self.closing = contextlib.ExitStack()
        self.closing.callback(self.notes.close)
        self.server_paths: set[str] = set()
        self._serial = 0

    def path(self) -> str:
        self._serial += 1
        return str(self.directory / f"{self._serial}")

    def address(self, kind: Any) -> Any:
        if kind.address_family != socket.AF_UNIX:
            return ("127.0.0.1", 0)
        path = self.path()
        self.server_paths.add(path)
        return path

    def make(self, kind: Any, handler: Any = None, *bases: Any, address: Any = None, **attributes: Any) -> Any:
        """Return a server of a subclass with these bases before it and these class attributes; it does not serve."""
        attributes.setdefault("notes", self.notes)
        subclass = type(kind.__name__, (*bases, Told, kind), attributes)
        server = subclass(address if address is not None else self.address(kind), handler or echo_for(kind))
        self.closing.callback(server.server_close)
        return server

    def start(self, kind: Any, handler: Any = None, *bases: Any, address: Any = None, **attributes: Any) -> Any:
        """The same, and it serves in a thread."""
        server = self.make(kind, handler, *bases, address=address, **attributes)
        self.serve(server)
        return server

    def serve(self, server: Any) -> threading.Thread:
        thread = threading.Thread(target=server.serve_forever, name="serving", daemon=True)
        thread.start()

        def end() -> None:
            server.server_close()
            join(thread)

        self.closing.callback(end)
        return thread

    def connect(self, server: Any) -> socket.socket:
        """Return a client of the server; one that can be answered, for datagrams too."""
        client = self.closing.enter_context(socket.socket(server.address_family, server.socket_type))
        client.settimeout(DEADLINE)
        if (server.address_family, server.socket_type) == (socket.AF_UNIX, socket.SOCK_DGRAM):
            client.bind(self.path())
        client.connect(server.server_address)
        return client


def ask(client: socket.socket, question: bytes = b"hello\n") -> bytes:
    """Send, and return as many bytes of answer, or less if the stream ends before."""
    client.sendall(question)
    answer = b""
    while len(answer) < len(question):
        more = client.recv(65536)
        if not more:
            break
        answer += more
    return answer


def poke(client: socket.socket, data: bytes = b"x") -> socket.socket:
    """Send, though the server may have ended the connection before; a datagram server needs it to see a request."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        client.sendall(data)
    return client


def has_ended(client: socket.socket) -> bool:
    """Return whether the stream ends without another byte; by a reset, if the server left something unread."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def join(thread: threading.Thread) -> None:
    """Wait for a thread's end, which must come."""
    thread.join(DEADLINE)
    assert not thread.is_alive(), f"{thread.name} still runs"


def descriptors() -> dict[int, str]:
    """Return the open descriptors, and what they are."""
    found = {}
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):
            found[int(name)] = os.readlink(f"/dev/fd/{name}")
    return found


def has_children() -> bool:
    """Return whether this process has a child, running or ended, without collecting it."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
