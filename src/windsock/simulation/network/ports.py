"""The ports of one protocol on one host, and which sockets may share one (bind(2), socket(7))."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Generic, TypeVar

from windsock.net.system import socket
from windsock.simulation.network.addresses import IPEndpoint, is_any
from windsock.simulation.network.failure import failure
from windsock.simulation.network.socket_options import SocketOptions

__all__ = ["PortClaim", "Ports"]

FIRST, LAST = 32_768, 60_999
"""The ports that are given to sockets which ask for any (ip(7), ip_local_port_range)."""

Owner = TypeVar("Owner")


class PortClaim(Generic[Owner]):
    """A socket's hold on a port. `is_shareable` says whether SO_REUSEADDR applies: not while a TCP socket listens."""

    __slots__ = ("endpoint", "family", "is_chosen", "is_shareable", "options", "owner")

    def __init__(self, family: int, endpoint: IPEndpoint, options: SocketOptions, owner: Owner) -> None:
        self.family: int = family
        self.endpoint: IPEndpoint = endpoint
        self.options: SocketOptions = options
        self.owner = owner
        self.is_chosen: bool = bool(endpoint.port)
        """Whether the owner has named the port, rather than asked for any."""
        self.is_shareable: bool = True

    def covers(self, ip: str) -> bool:
        """Return whether traffic to an address of the host belongs to this claim."""
        return self.endpoint.ip == ip or (is_any(self.endpoint.ip) and self._takes(ip))

    def _takes(self, ip: str) -> bool:
        if self.family == socket.AF_INET6 and not self.options.v6_only:
            return True
        return (":" in ip) == (self.family == socket.AF_INET6)

    def conflicts_with(self, other: PortClaim[Owner]) -> bool:
        """Return whether this one cannot be added, or cannot listen, beside the other one."""
        if not (self.covers(other.endpoint.ip) or other.covers(self.endpoint.ip)):
            return False
        mine, theirs = self.options, other.options
        if mine.reuse_address and theirs.reuse_address and other.is_shareable:
            return False
        return not (mine.reuse_port and theirs.reuse_port)


class Ports(Generic[Owner]):
    """The claims on the ports of one protocol."""

    def __init__(self) -> None:
        self._claims: dict[int, list[PortClaim[Owner]]] = {}
        self._next = FIRST

    def add(self, claim: PortClaim[Owner]) -> None:
        """Add a claim; choose its port if it is 0. Raises OSError (EADDRINUSE)."""
        if not claim.endpoint.port:
            claim.endpoint = claim.endpoint._replace(port=self._free_port())
        elif self.is_taken(claim):
            raise failure(errno.EADDRINUSE)
        self._claims.setdefault(claim.endpoint.port, []).append(claim)

    def share(self, claim: PortClaim[Owner]) -> None:
        """Add the claim of an accepted connection, which has its listener's port."""
        self._claims.setdefault(claim.endpoint.port, []).append(claim)

    def remove(self, claim: PortClaim[Owner]) -> None:
        """Remove a claim. Does nothing if it is not there."""
        claims = self._claims.get(claim.endpoint.port, [])
        if claim in claims:
            claims.remove(claim)
        if not claims:
            self._claims.pop(claim.endpoint.port, None)

    def is_taken(self, claim: PortClaim[Owner]) -> bool:
        """Return whether another claim conflicts with this one."""
        others = self._claims.get(claim.endpoint.port, [])
        return any(other is not claim and claim.conflicts_with(other) for other in others)

    def covering(self, endpoint: IPEndpoint) -> Iterator[PortClaim[Owner]]:
        """Iterate over the claims that traffic to an endpoint belongs to: exact addresses first, the newest first."""
        found = [each for each in reversed(self._claims.get(endpoint.port, [])) if each.covers(endpoint.ip)]
        yield from sorted(found, key=lambda each: (is_any(each.endpoint.ip), each.family == socket.AF_INET6))

    def _free_port(self) -> int:
        for _ in range(FIRST, LAST + 1):
            port, self._next = self._next, FIRST if self._next == LAST else self._next + 1
            if port not in self._claims:
                return port
        raise failure(errno.EADDRINUSE)
