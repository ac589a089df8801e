"""Relayed stream servers: an accepted client goes in, the socket that its handler gets comes out."""

from __future__ import annotations

import contextlib
import struct
from functools import partial
from typing import TYPE_CHECKING, Any

from windsock.injection.socket_pairs import Pairs, RelayedSocket
from windsock.net import addresses, sockets
from windsock.net.addresses import Address
from windsock.net.event_loop import READABLE, OnError
from windsock.net.system import monotonic, os, socket
from windsock.recording.events import Kind
from windsock.relay.connection import StreamRelay
from windsock.relay.firings import Firings
from windsock.relay.loop import RelayLoop
from windsock.servers import fork_hooks

if TYPE_CHECKING:
    from windsock.faults import FaultSet
    from windsock.recording import Connection

__all__ = ["StreamRelays"]

ORDER = struct.Struct("qii")
"""A message of a child: the connection, the level and the name of an option; its value follows."""


class StreamRelays:
    """The relays of one stream server, all in one thread, from the constructor to `stop()`.

    The relay owns the only reference to the client's socket, in this process and in forked children, so that a reset
    is a real reset whatever handles the connection. For each connection: `relay(client, client_address)` replaces the
    accepted socket; with a `connection`, firings are noted in that recording, and when an end has reached the
    client.

    `on_error` is called with unexpected errors, such as one in a fault that is a function. Faults of TLS
    handshakes are not the relay's: the server's own handshake has them.
    """

    def __init__(self, fault_set: FaultSet, *, name: str, on_error: OnError) -> None:
        self.fault_set = fault_set
        self._on_error = on_error
        self._process_id = os.getpid()
        self._pairs = Pairs()
        self._firings = Firings(fault_set)
        self._clients: dict[int, socket.socket] = {}
        self._relay_loop = RelayLoop(f"windsock relays of the {name}", on_error)
        self._orders, self._child_orders = socket.socketpair(getattr(socket, "AF_UNIX", -1), socket.SOCK_DGRAM)
        self._orders.setblocking(False)
        self._child_orders.setblocking(False)
        self._relay_loop.event_loop.watch(self._orders.fileno(), READABLE, self._obey)
        fork_hooks.renew_in_children(self)
        try:
            self._relay_loop.start()
        except BaseException:
            self._close()
            raise
        fault_set.subscribe(self._relay_loop.refresh)

    def relay(
        self,
        client: socket.socket,
        client_address: Address,
        *,
        index: int,
        connection: Connection | None = None,
    ) -> RelayedSocket:
        """Take over an accepted connection; return the socket that its handler gets.

        `client` has lost its descriptor afterwards. `index` is the connection's number for selectors, from 0. Raises
        OSError for a lack of descriptors, and the exceptions of a test's own selector or fault; the
        client is reset then.
        """
        timeout = client.gettimeout()
        owned = socket.socket(client.family, client.type, client.proto, fileno=client.detach())
        try:
            owned.settimeout(timeout)
            ours, handlers = self._pairs.make(owned, client_address)
        except BaseException:
            sockets.reset(owned)
            raise
        for each in (owned, ours):
            sockets.prepare(each)
        self._clients[index] = owned
        handlers.forward_option = partial(self._forward, index)
        try:
            relay = self._make(index, owned, ours, addresses.plain(client_address), connection)
        except BaseException:  # of a function that selects connections, or of a fault
            self._clients.pop(index, None)
            handlers.close()
            ours.close()
            sockets.reset(owned)
            raise
        self._relay_loop.add(relay)
        self._relay_loop.event_loop.call(relay.start)
        if not self._relay_loop.event_loop.is_running():
            relay.finish()  # it was stopped just now
        return handlers

    def drain(self, seconds: float) -> None:
        """Wait until handlers can read what their clients have sent, as far as it arrives within `seconds`."""
        self._relay_loop.drain(seconds)

    def stop(self, seconds: float) -> None:
        """Carry what handlers have replied, end all connections, and the thread. Idempotent.

        Raises StillRunning after `seconds`.
        """
        self.fault_set.unsubscribe(self._relay_loop.refresh)
        try:
            self._relay_loop.catch_up(seconds)
            self._relay_loop.stop(seconds)
        finally:
            self._close()

    def after_fork_in_child(self) -> None:
        """Close the descriptors that belong to the parent, except the channel on which it takes orders."""
        with contextlib.suppress(OSError):
            os.close(self._orders.detach())
        self._pairs.after_fork_in_child()
        self._clients = {}

    def _make(
        self,
        index: int,
        client: socket.socket,
        handlers: socket.socket,
        peer: Address,
        connection: Connection | None,
    ) -> StreamRelay:
        upward, downward = self.fault_set.links(connection=index, now=monotonic(), peer=peer)
        notes: dict[str, Any] = {}
        if connection is not None:
            notes = {
                "delivering": partial(connection.noted_after, Kind.DELIVERED),
                "on_closing": partial(connection.begin, Kind.DELIVERED),
            }
        relay = StreamRelay(
            self._relay_loop.event_loop,
            self._relay_loop.scratch,
            client,
            handlers,
            upward=upward,
            downward=downward,
            on_end=partial(self._ended, index, connection),
            on_error=self._on_error,
            on_look=self._firings.look,
            on_note=partial(self._firings.note, index),
            **notes,
        )
        if connection is not None:
            connection.set_relayed(True)
            self._firings.follow(index, connection)
        return relay

    def _ended(self, index: int, connection: Connection | None, relay: StreamRelay) -> None:
        self._relay_loop.remove(relay)
        self._clients.pop(index, None)
        self._firings.look()
        self._firings.leave(index)
        if connection is not None:
            connection.note(Kind.DELIVERED)

    def _forward(self, index: int, level: int, name: int, *value: Any) -> None:
        """Set an option of the client's socket; in a child, ask the parent to."""
        if os.getpid() == self._process_id:
            client = self._clients.get(index)
            if client is not None:
                with contextlib.suppress(OSError):  # closed meanwhile, or no option of its kind of connection
                    client.setsockopt(level, name, *value)
            return
        data = struct.pack("i", value[0]) if isinstance(value[0], int) else bytes(value[0] or b"")
        with contextlib.suppress(OSError):
            self._child_orders.send(ORDER.pack(index, level, name) + data)

    def _obey(self, events: int) -> None:  # noqa: ARG002  # it is readable
        with contextlib.suppress(BlockingIOError):
            order = self._orders.recv(4096)
            index, level, name = ORDER.unpack_from(order)
            client = self._clients.get(index)
            if client is not None:
                with contextlib.suppress(OSError):
                    client.setsockopt(level, name, order[ORDER.size :])

    def _close(self) -> None:
        self._pairs.close()
        self._orders.close()
        self._child_orders.close()
