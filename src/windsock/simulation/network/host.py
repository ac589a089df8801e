"""One host of the network: its addresses, its ports, and the way to other hosts."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Protocol

from windsock.net.system import socket
from windsock.simulation.network.addresses import IPEndpoint, endpoint_from, is_any
from windsock.simulation.network.failure import failure
from windsock.simulation.network.host_ports import HostPorts
from windsock.simulation.network.kinds import new_socket
from windsock.simulation.network.links.route import HostRoute
from windsock.simulation.network.unix.socket import UnixSocket

if TYPE_CHECKING:
    from windsock.simulation.network.links.links import Links
    from windsock.simulation.network.simulated_socket import SimulatedSocket
    from windsock.simulation.network.unix.names import UnixNames

__all__ = ["Host"]

LOOPBACK: dict[int, str] = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


class HostNetwork(Protocol):
    """A network, as its hosts know it."""

    links: Links
    """The links between hosts."""
    unix_names: UnixNames
    """The names of Unix sockets."""

    def host_at(self, ip: str) -> Host:
        """Return the host that has an address. Raises OSError (ENETUNREACH) if none has."""
        ...

    def ip_of(self, name: str, family: int) -> str:
        """Return the address of a name for a family. Raises gaierror (EAI_NONAME) if no host has the name."""
        ...


class Host:
    """A host with the addresses 127.0.0.1 and ::1, and those by which other hosts reach it."""

    def __init__(self, network: HostNetwork, name: str, addresses: tuple[str, ...]) -> None:
        self._network = network
        self.name = name
        self.addresses = addresses
        """The addresses by which other hosts reach it: one of IPv4, one of IPv6."""
        self.ports: HostPorts = HostPorts()
        self.unix_names: UnixNames = network.unix_names

    def __repr__(self) -> str:
        return f"<Host {self.name} {' '.join(self.addresses)}>"

    def socket(self, family: int, kind: int, proto: int = 0) -> SimulatedSocket:
        """Return a new socket. Raises OSError (EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT)."""
        return new_socket(self, family, kind, proto)

    def socketpair(self, family: int, kind: int, proto: int = 0) -> tuple[SimulatedSocket, SimulatedSocket]:
        """Return two connected Unix sockets. Raises OSError (EOPNOTSUPP) for another family."""
        first, second = self.socket(family, kind, proto), self.socket(family, kind, proto)
        if not (isinstance(first, UnixSocket) and isinstance(second, UnixSocket)):
            raise failure(errno.EOPNOTSUPP)
        first.join(second)
        second.join(first)
        return first, second

    def endpoint(self, family: int, address: Any, call: str) -> IPEndpoint:
        """Return the endpoint for an address that was passed to a socket's method."""
        return endpoint_from(family, address, call, self._network.ip_of)

    # --- addresses

    def is_own(self, ip: str) -> bool:
        """Return whether an address is one of this host's."""
        return ip.startswith("127.") or ip == "::1" or ip in self.addresses

    def check_local(self, ip: str) -> None:
        """Check that an address can be bound here. Raises OSError (EADDRNOTAVAIL)."""
        if not (is_any(ip) or self.is_own(ip)):
            raise failure(errno.EADDRNOTAVAIL)

    def loopback(self, family: int) -> str:
        """Return the loopback address of a family."""
        return LOOPBACK[family]

    def route(self, ip: str, bound: str) -> HostRoute:
        """Return the route to an address, from the address that a socket is bound to or the one that fits.

        Raises OSError (ENETUNREACH) if no host has the address.
        """
        target = self if self.is_own(ip) else self._network.host_at(ip)
        source = ip if target is self else next(each for each in self.addresses if (":" in each) == (":" in ip))
        if ip.startswith("127."):
            source = LOOPBACK[socket.AF_INET]
        ends = (self.name, target.name)
        return HostRoute(self._network.links, ends, target.ports, source if is_any(bound) else bound)
