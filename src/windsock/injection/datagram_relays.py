"""Relayed datagram servers: the socket moves behind a relay, and handlers still see the addresses of the clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from windsock.net import addresses
from windsock.net.addresses import Address, PrivateSocketPath
from windsock.net.ancillary import ask_for_credentials, asks_for_credentials
from windsock.net.event_loop import OnError
from windsock.net.system import socket
from windsock.net.targets import Target
from windsock.proxies.datagram_front import DatagramFront
from windsock.relay.firings import Firings
from windsock.relay.loop import RelayLoop

if TYPE_CHECKING:
    from windsock.faults import FaultSet

__all__ = ["DatagramRelays", "RelayedReplies"]

AF_UNIX = getattr(socket, "AF_UNIX", -1)


class DatagramRelays:
    """Relays the datagrams of one server, from the constructor to `stop()`.

    Takes over the server's socket, which clients send to; the server reads from `socket` instead. For
    each datagram that it reads, `client_of(address)` is the client's own address, and `RelayedReplies` is the socket
    to answer through. For faults a connection is a client: its index is the order in which clients first appeared.
    After a Rebind the server sees the client under a new address.

    `on_error` is called with unexpected errors, such as one in a fault that is a function.
    """

    def __init__(self, server_socket: socket.socket, fault_set: FaultSet, *, name: str, on_error: OnError) -> None:
        self.fault_set = fault_set
        self._on_error = on_error
        self.socket: socket.socket = socket.socket(server_socket.family, socket.SOCK_DGRAM)
        self._private: PrivateSocketPath | None = None
        try:
            self._private = PrivateSocketPath() if server_socket.family == AF_UNIX else None
            self.socket.bind(self._private.path if self._private is not None else (_loopback(server_socket.family), 0))
            self.socket.settimeout(server_socket.gettimeout())
            if asks_for_credentials(server_socket):
                ask_for_credentials(self.socket)
            self._relay_loop = RelayLoop(f"windsock relay of the {name}", on_error)
            self._own(server_socket)
        except BaseException:
            self._give_back()
            raise
        fault_set.subscribe(self._relay_loop.refresh)

    def _own(self, server_socket: socket.socket) -> None:
        inner = Target(addresses.plain(self.socket.getsockname()), int(self.socket.family), (socket.SOCK_DGRAM,))
        server_socket.setblocking(False)
        on_error = self._on_error
        self._front = DatagramFront(
            self._relay_loop,
            server_socket,
            inner,
            self.fault_set,
            None,
            Firings(self.fault_set),
            on_error=lambda _, error: on_error(error),
        )
        self._relay_loop.event_loop.call(self._front.start)
        self._relay_loop.start()

    def client_of(self, address: Address) -> Address:
        """Return the client's address for the one that a datagram came from."""
        return self._front.clients_by_name.get(addresses.plain(address), address)

    def name_of(self, client: Address) -> Address:
        """Return the address to send a reply for the client to."""
        return self._front.names_by_client.get(client, client)

    def begin_part(self, seconds: float) -> None:
        """Number the clients from 0 again, within `seconds`."""
        self._relay_loop.event_loop.ask(self._front.begin_part, seconds)

    def drain(self, seconds: float) -> None:
        """Wait until all is on its way that clients and handlers have sent, as far as it arrives within `seconds`."""
        self._relay_loop.drain(seconds)

    def stop(self, seconds: float) -> None:
        """Carry what handlers have replied, end, and close both sockets. Idempotent.

        Raises StillRunning after `seconds`.
        """
        self.fault_set.unsubscribe(self._relay_loop.refresh)
        try:
            self._relay_loop.catch_up(seconds)
            self._relay_loop.stop(seconds)
        finally:
            self._give_back()

    def _give_back(self) -> None:
        self.socket.close()
        if self._private is not None:
            private, self._private = self._private, None
            private.remove()


class RelayedReplies:
    """The server's socket as the handler of one datagram sees it: replies to the client go through the relay."""

    __slots__ = ("_relay_loop", "_socket")

    def __init__(self, server_socket: Any, relay_loop: DatagramRelays) -> None:
        self._socket = server_socket
        self._relay_loop = relay_loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def sendto(self, data: Any, *rest: Any) -> int:
        """See socket.socket."""
        *flags, address = rest
        return self._socket.sendto(data, *flags, self._relay_loop.name_of(address))  # type: ignore[no-any-return]  # any socket

    def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
        """See socket.socket."""
        where = [] if address is None else [self._relay_loop.name_of(address)]
        return self._socket.sendmsg(buffers, ancdata, flags, *where)  # type: ignore[no-any-return]  # any socket


def _loopback(family: int) -> str:
    return "::1" if family == socket.AF_INET6 else "127.0.0.1"
