"""What the tests of selecting servers share: a server in a thread, and clients with deadlines."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from greenlet import getcurrent

from tests.support.waiting import DEADLINE
from windsock import servers
from windsock.net.addresses import PrivateSocketPath

STREAMS: list[Any] = [servers.SelectingTCPServer, servers.SelectingUnixStreamServer]
DATAGRAMS: list[Any] = [servers.SelectingUDPServer, servers.SelectingUnixDatagramServer]


@contextlib.contextmanager
def running(server_class: Any, handler: Any, **attributes: Any) -> Iterator[Any]:
    """Serve, without any harness or recording, in a thread of its own."""
    kind: Any = type(server_class.__name__, (server_class,), {**DEFAULTS, "errors": [], **attributes})
    private = PrivateSocketPath() if kind.address_family == socket.AF_UNIX else None
    server = kind(private.path if private else ("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, name="serving")
    thread.start()
    try:
        yield server
    finally:
        try:
            server.server_close()
        finally:
            thread.join(DEADLINE)
            if private:
                private.remove()
            assert not thread.is_alive()


def note_error(self: Any, request: Any, client_address: Any) -> None:
    """Keep what a handler raised."""
    import sys

    self.errors.append(sys.exception())


def hub_here() -> Any:
    """Return the loop of the request that asks, for sockets of its own."""
    return getcurrent().hub  # type: ignore[attr-defined]  # a request's greenlet has it


def connect(server: Any) -> socket.socket:
    """Return a client of the server; one that can be answered, for datagrams too."""
    client = socket.socket(server.address_family, server.socket_type)
    try:
        client.settimeout(DEADLINE)
        if (server.address_family, server.socket_type) == (socket.AF_UNIX, socket.SOCK_DGRAM):
            client.bind("")
        client.connect(server.server_address)
    except BaseException:
        client.close()
        raise
    return client


DEFAULTS = {"request_queue_size": 128, "handle_error": note_error}


def read(client: socket.socket, size: int) -> bytes:
    """Return exactly so many bytes."""
    with client.makefile("rb") as file:
        return file.read(size)


class Packet(servers.DatagramRequestHandler):
    """Answers each packet in capitals."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.read().upper())
