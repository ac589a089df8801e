"""The way from one host to another, as a socket takes it when it connects or sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from windsock.simulation.network.links.wire import Wire
from windsock.simulation.network.tcp.connection import TCPConnection
from windsock.simulation.network.tcp.handshake import Handshake

if TYPE_CHECKING:
    from windsock.simulation.network.addresses import IPEndpoint
    from windsock.simulation.network.host_ports import HostPorts
    from windsock.simulation.network.links.datagram_passage import DatagramPassage
    from windsock.simulation.network.links.links import Links

__all__ = ["HostRoute"]


class HostRoute:
    """From a host to a target, by their names. `ports` are the target's, `source` is the address that it sees."""

    def __init__(self, links: Links, ends: tuple[str, str], ports: HostPorts, source: str) -> None:
        self._links = links
        self._host, self._target = ends
        self.ports = ports
        self.source = source

    def passage(self, source: IPEndpoint, target: IPEndpoint) -> DatagramPassage | None:
        """Return the faults for datagrams between two addresses of this route, if there are any."""
        return self._links.between(self._host, self._target).passage(source, target)

    def carry(self, size: int, deliver: Callable[[], object]) -> None:
        """Call `deliver` when a datagram of `size` bytes arrives at the target."""
        road, timers = self._links.direction(self._host, self._target), self._links.timers
        if road.is_immediate:
            deliver()
        else:
            timers.call_at(road.arrival(size, timers.now()), deliver)

    def handshake(self, connection: TCPConnection) -> Handshake:
        """Return the handshake of a connection along this route."""
        links = self._links
        there = Wire(links.timers, links.direction(self._host, self._target))
        back = Wire(links.timers, links.direction(self._target, self._host))
        link = links.between(self._host, self._target)
        return Handshake(connection, self.ports, (there, back), link, links.timers)
