"""Every combination of servers, clients with deadlines, and events that cross processes."""

from __future__ import annotations

import socket
import struct
from itertools import product

import pytest

from tests.support.waiting import DEADLINE, wait_until
from windsock import RunningServer
from windsock.harness import CONCURRENCIES

STREAMS = ["tcp", "unix_stream"]
DATAGRAMS = ["udp", "unix_datagram"]
TRANSPORTS = [*STREAMS, *DATAGRAMS]
RECORDS = "unix_seqpacket"
"""The fifth transport has tests of its own, and is in the matrix where it may differ from streams."""

on_every_concurrency = pytest.mark.parametrize("concurrency", list(CONCURRENCIES))
on_every_transport = pytest.mark.parametrize("transport", TRANSPORTS)
on_every_stream = pytest.mark.parametrize("transport", STREAMS)
on_every_kind = pytest.mark.parametrize(("transport", "concurrency"), list(product(TRANSPORTS, CONCURRENCIES)))
on_every_kind_and_records = pytest.mark.parametrize(
    ("transport", "concurrency"), list(product([*TRANSPORTS, RECORDS], CONCURRENCIES))
)
on_every_stream_kind = pytest.mark.parametrize(("transport", "concurrency"), list(product(STREAMS, CONCURRENCIES)))
on_every_datagram_kind = pytest.mark.parametrize(("transport", "concurrency"), list(product(DATAGRAMS, CONCURRENCIES)))


def connect(server: RunningServer) -> socket.socket:
    """Return a client of the server; one that can be answered, for datagrams too."""
    family, kind = server.server.address_family, server.server.socket_type
    client = socket.socket(family, kind)
    try:
        client.settimeout(DEADLINE)
        if (family, kind) == (socket.AF_UNIX, socket.SOCK_DGRAM):
            client.bind("")  # Linux finds an abstract name
        client.connect(server.server.server_address)
    except BaseException:
        client.close()
        raise
    return client


def ask(server: RunningServer, *questions: bytes) -> list[bytes]:
    """Send each question and wait for its answer, all with one client; return the answers."""
    with connect(server) as client:
        answers = []
        for question in questions:
            client.sendall(question)
            answers.append(client.recv(65536))
        return answers


def allows_records_of(size: int) -> bool:
    """Return whether this system lets a process send a record of that many bytes."""
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with sender, receiver:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * size)
        try:
            return sender.send(bytes(size), socket.MSG_DONTWAIT) == size
        except OSError:
            return False


def rest_of(client: socket.socket) -> bytes:
    """Return all that comes until the end of the stream."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def exchange(server: RunningServer, data: bytes, *, half_close: bool = False) -> bytes:
    """Send all with one client, and say so with `half_close`; return all that comes until the end of the stream."""
    with connect(server) as client:
        client.sendall(data)
        if half_close:
            client.shutdown(socket.SHUT_WR)
        return rest_of(client)


def receive(client: socket.socket, size: int) -> bytes:
    """Return exactly so many bytes."""
    data = bytearray()
    while len(data) < size:
        piece = client.recv(min(65536, size - len(data)))
        assert piece, f"the stream ended after {len(data)} of {size} bytes"
        data += piece
    return bytes(data)


def is_answered(server: RunningServer) -> bool:
    """Return whether a client of an echo is answered."""
    with server.connect() as client:
        client.send(b"x\n").expect(b"x\n")
    return True


def wait_for_error(server: RunningServer) -> None:
    """Wait until something has gone wrong in a handler."""
    wait_until(lambda: server.errors, "an error of a handler")


def wait_for_end(server: RunningServer, index: int = 0) -> None:
    """Wait until the n-th connection has ended."""
    wait_until(lambda: len(server.connections) > index and server.connections[index].closed is not None, "its end")


def reset(client: socket.socket) -> None:
    """Close so that the server's end is reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


class Signal:
    """An event that crosses processes: handlers, forked ones too, set it or wait for it."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.settimeout(DEADLINE)

    def set(self) -> None:
        self._writer.send(b"!")

    def wait(self) -> None:
        assert self._reader.recv(1) == b"!"

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
