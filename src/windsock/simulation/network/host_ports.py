"""The ports of one host, and who receives what arrives at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from windsock.net.system import socket
from windsock.simulation.network.ports import PortClaim, Ports
from windsock.simulation.network.tcp.connection import TCPConnection
from windsock.simulation.network.tcp.listener import TCPListener

if TYPE_CHECKING:
    from windsock.simulation.network.addresses import IPEndpoint

__all__ = ["DatagramReceiver", "HostPorts"]


class DatagramReceiver(Protocol):
    """A UDP socket, as its senders know it."""

    def receives_from(self, sender: IPEndpoint) -> bool:
        """Return whether datagrams of a sender are for this socket."""
        ...

    def arrive(self, data: bytes, sender: IPEndpoint) -> None:
        """Take a datagram."""
        ...


class HostPorts:
    """The TCP and the UDP ports of a host."""

    def __init__(self) -> None:
        self.tcp: Ports[TCPListener | None] = Ports()
        self.udp: Ports[DatagramReceiver] = Ports()

    def listener(self, endpoint: IPEndpoint) -> TCPListener | None:
        """Return the listener of an endpoint, or None."""
        return next((each.owner for each in self.tcp.covering(endpoint) if each.owner is not None), None)

    def embryo(self, listener: TCPListener, client: TCPConnection) -> TCPConnection:
        """Return this host's end of a connection that a client asks for; it keeps the port taken while it lasts."""
        child = TCPConnection(listener.options.copy(), client.remote, client.local)
        family = socket.AF_INET6 if ":" in child.local.ip else socket.AF_INET
        claim: PortClaim[TCPListener | None] = PortClaim(family, child.local, child.options, None)
        self.tcp.share(claim)
        child.on_over = lambda: self.tcp.remove(claim)
        return child

    def receiver(self, endpoint: IPEndpoint, sender: IPEndpoint) -> DatagramReceiver | None:
        """Return the UDP socket that a sender's datagrams to an endpoint are for, or None."""
        return next((each.owner for each in self.udp.covering(endpoint) if each.owner.receives_from(sender)), None)
