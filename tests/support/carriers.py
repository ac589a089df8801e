"""Every way in which bytes get from a client to a server: directly, relayed, through a proxy, under faults or not."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

from tests.support.waiting import DEADLINE
from windsock.faults import FaultSet
from windsock.faults.kinds.delay import Delay
from windsock.faults.kinds.segment import Segment
from windsock.injection.datagram_relays import DatagramRelays, RelayedReplies
from windsock.injection.stream_relays import StreamRelays
from windsock.net.addresses import PrivateSocketPath
from windsock.proxies.proxy import FaultProxy

STREAMS = {
    "tcp": (socket.AF_INET, "127.0.0.1"),
    "tcp6": (socket.AF_INET6, "::1"),
    "unix_stream": (socket.AF_UNIX, None),
}


class Line:
    """A client and a server that are connected, and the word that stops what is between them."""

    def __init__(self, client: socket.socket, server: socket.socket, stop: Callable[[], None]) -> None:
        self.client = client
        self.server = server
        self.stop = stop


@contextlib.contextmanager
def listening(transport: str) -> Iterator[socket.socket]:
    """A listener."""
    family, host = STREAMS[transport]
    private = PrivateSocketPath() if host is None else None
    with socket.socket(family) as listener:
        listener.settimeout(DEADLINE)
        listener.bind(private.path if private is not None else (host, 0))
        listener.listen(100)
        try:
            yield listener
        finally:
            if private is not None:
                private.remove()


def connected(family: int, address: Any) -> socket.socket:
    """A client."""
    client = socket.socket(family)
    try:
        client.settimeout(DEADLINE)
        client.connect(address)
    except BaseException:
        client.close()
        raise
    return client


@contextlib.contextmanager
def direct(transport: str) -> Iterator[Line]:
    with listening(transport) as listener, connected(listener.family, listener.getsockname()) as client:
        server, _ = listener.accept()
        with server:
            server.settimeout(DEADLINE)
            yield Line(client, server, lambda: shut(server, client))


def shut(*ends: socket.socket) -> None:
    """What a carrier does that is stopped."""
    for each in ends:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def relayed(faults: Iterable[Any] = ()) -> Callable[[str], Any]:
    @contextlib.contextmanager
    def carrier(transport: str) -> Iterator[Line]:
        with door(transport) as made:
            for fault in faults:
                made.fault_set.install(fault)
            with made.connection() as (client, server):
                yield Line(client, server, lambda: made.relay_loop.stop(DEADLINE))

    return carrier


def proxied(faults: Iterable[Any] = (), **options: Any) -> Callable[[str], Any]:
    @contextlib.contextmanager
    def carrier(transport: str) -> Iterator[Line]:
        with listening(transport) as listener, FaultProxy(listener.getsockname(), **options) as proxy:
            for fault in faults:
                proxy.fault(fault, allow_unfired=True)
            with connected(listener.family, proxy.address) as client:
                server, _ = listener.accept()
                with server:
                    server.settimeout(DEADLINE)
                    yield Line(client, server, proxy.stop)

    return carrier


class Door:
    """A listener, the relays of a server, and what went wrong there."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.fault_set = FaultSet()
        self.errors: list[Exception] = []
        self.indices = count()
        self.relay_loop = StreamRelays(self.fault_set, name="test", on_error=self.errors.append)

    @contextlib.contextmanager
    def connection(self) -> Iterator[tuple[socket.socket, Any]]:
        """A client, and what its handler gets."""
        with connected(self.listener.family, self.listener.getsockname()) as client:
            accepted, peer = self.listener.accept()
            accepted.settimeout(DEADLINE)
            with self.relay_loop.relay(accepted, peer, index=next(self.indices)) as request:
                yield client, request


@contextlib.contextmanager
def door(transport: str) -> Iterator[Door]:
    """Give relays that have been stopped, without an error, when the block is over."""
    with listening(transport) as listener:
        made = Door(listener)
        try:
            yield made
        finally:
            made.relay_loop.stop(DEADLINE)
    assert made.errors == []


SLOW = (Delay(0.001), Segment(50_000))
CARRIERS: dict[str, Callable[[str], Any]] = {
    "direct": direct,
    "relay": relayed(),
    "proxy": proxied(),
    "unrecorded proxy": proxied(recorded=False),
    "relay under faults": relayed(SLOW),
    "proxy under faults": proxied(SLOW),
}
"""Faults that change times and pieces only: what they carry is carried all the same."""


class Sender(threading.Thread):
    """Sends in the background, then says that it is done; an error is kept."""

    def __init__(self, sock: socket.socket, data: bytes) -> None:
        super().__init__(daemon=True)
        self._socket = sock
        self._data = data
        self.error: OSError | None = None
        self.start()

    def run(self) -> None:
        try:
            self._socket.sendall(self._data)
        except OSError as error:
            self.error = error

    def wait(self) -> OSError | None:
        self.join(DEADLINE)
        assert not self.is_alive(), "still sending"
        return self.error


def fill(sock: socket.socket) -> int:
    """Send until nothing more is taken for a while; return how much that was."""
    sock.settimeout(0.3)
    total = 0
    with contextlib.suppress(TimeoutError):
        while total < 256 << 20:
            total += sock.send(bytes(65536))
    sock.settimeout(DEADLINE)
    return total


# --- datagrams


DATAGRAMS = ["udp", "udp6", "unix_datagram"]


class Post:
    """Clients and a server of datagrams."""

    def __init__(self, server: socket.socket, family: int, address: Any, carrier: Any) -> None:
        self.server = server
        self._family = family
        self._address = address
        self._carrier = carrier

    @contextlib.contextmanager
    def client(self) -> Iterator[socket.socket]:
        with socket.socket(self._family, socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE)
            if self._family == socket.AF_UNIX:
                client.bind("")
            client.connect(self._address)
            yield client

    def reply(self, data: bytes, sender: Any) -> None:
        """Answer who sent something, as the server sees them."""
        if isinstance(self._carrier, DatagramRelays):
            RelayedReplies(self.server, self._carrier).sendto(data, self._carrier.client_of(sender))
        else:
            self.server.sendto(data, sender)

    def stop(self) -> None:
        """Stop what is between."""
        if isinstance(self._carrier, DatagramRelays):
            self._carrier.stop(DEADLINE)
        elif self._carrier is not None:
            self._carrier.stop()


@contextlib.contextmanager
def posted(transport: str, carrier: str) -> Iterator[Post]:
    """A server of datagrams, and what is in front of it."""
    family = {"udp": socket.AF_INET, "udp6": socket.AF_INET6}.get(transport, socket.AF_UNIX)
    with contextlib.ExitStack() as stack:
        private = PrivateSocketPath() if transport == "unix_datagram" else None
        if private is not None:
            stack.callback(private.remove)
        server = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        server.bind(private.path if private is not None else ("::1" if transport == "udp6" else "127.0.0.1", 0))
        server.settimeout(DEADLINE)
        address: Any = server.getsockname()
        between: Any = None
        if carrier == "proxy":
            between = stack.enter_context(FaultProxy(address, transport=transport.removesuffix("6")))
            address = between.address
        elif carrier == "relay":
            errors: list[Exception] = []
            between = DatagramRelays(server, FaultSet(traffic="datagram"), name="test", on_error=errors.append)
            stack.callback(between.stop, DEADLINE)
            server = between.socket
            server.settimeout(DEADLINE)
        yield Post(server, family, address, between)
