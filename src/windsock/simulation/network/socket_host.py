"""What a socket needs of the host that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from windsock.simulation.network.addresses import IPEndpoint
    from windsock.simulation.network.host_ports import HostPorts
    from windsock.simulation.network.links.route import HostRoute
    from windsock.simulation.network.unix.names import UnixNames

__all__ = ["SocketHost"]


class SocketHost(Protocol):
    """A host, as its sockets know it."""

    name: str
    """Its name in the network."""
    ports: HostPorts
    """Its TCP and UDP ports."""
    unix_names: UnixNames
    """The names of Unix sockets."""

    def endpoint(self, family: int, address: Any, call: str) -> IPEndpoint:
        """Return the endpoint for an address that was passed to a socket's method."""
        ...

    def check_local(self, ip: str) -> None:
        """Check that an address can be bound here. Raises OSError (EADDRNOTAVAIL)."""
        ...

    def loopback(self, family: int) -> str:
        """Return the loopback address of a family."""
        ...

    def route(self, ip: str, bound: str) -> HostRoute:
        """Return the route to an address, from the address that a socket is bound to. Raises OSError (ENETUNREACH)."""
        ...
