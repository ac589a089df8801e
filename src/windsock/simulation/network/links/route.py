"""The way from one host to another, as a socket takes it when it connects or sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from windsock.simulation.network.links.wire import Wire
from windsock.simulation.network.tcp.connection import TCPConnection
from windsock.simulation.network.tcp.handshake import Handshake

if TYPE_CHECKING:
    from windsock.simulation.network.addresses import IPEndpoint
    from windsock.simulation.network.host import Host
    from windsock.simulation.network.links.datagram_passage import DatagramPassage

__all__ = ["HostRoute"]


class HostRoute:
    """From a host to a target; `source` is the address that the target sees."""

    def __init__(self, host: Host, target: Host, source: str) -> None:
        self.host = host
        self.target = target
        self.source = source

    def passage(self, source: IPEndpoint, target: IPEndpoint) -> DatagramPassage | None:
        """Return the faults for datagrams between two addresses of this route, if there are any."""
        return self.host.network.link(self.host, self.target).passage(source, target)

    def carry(self, size: int, deliver: Callable[[], object]) -> None:
        """Call `deliver` when a datagram of `size` bytes arrives at the target."""
        network = self.host.network
        road = network.road(self.host, self.target)
        if road.is_immediate:
            deliver()
        else:
            network.timers.call_at(road.arrival(size, network.timers.now()), deliver)

    def handshake(self, connection: TCPConnection) -> Handshake:
        """Return the handshake of a connection along this route."""
        network = self.host.network
        there = Wire(network.timers, network.road(self.host, self.target))
        back = Wire(network.timers, network.road(self.target, self.host))
        return Handshake(connection, self.target, (there, back), network.link(self.host, self.target))
