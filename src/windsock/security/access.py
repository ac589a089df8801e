"""AccessMixIn: access control by the client's network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeAlias

from windsock.errors import UsageError
from windsock.net import addresses

__all__ = ["AccessMixIn"]

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class AccessMixIn:
    """Accepts requests from some networks only. Comes before the mix-in for concurrency.

    `allowed_networks` (None: all) and `denied_networks` are networks or addresses as text, such as
    "10.0.0.0/8" and "::1", or objects of the ipaddress module. Denial takes precedence.
    A client without an IP address, on a Unix socket, is in no network.

    Hooks, in the order in which a request meets them: `verify_request`, then `handle_refused` if that returns False.
    """

    allowed_networks: Iterable[Any] | None = None
    denied_networks: Iterable[Any] = ()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether the client's address is allowed. May be extended (call super)."""
        reason = self._why_not(client_address)
        if reason:
            self.handle_refused(request, client_address, reason)
            return False
        return bool(super().verify_request(request, client_address))  # type: ignore[misc]  # the server class has it

    def handle_refused(self, request: Any, client_address: Any, reason: str) -> None:
        """Called for a request that is turned away. May be overridden. The default does nothing."""

    def _why_not(self, client_address: Any) -> str:
        """Return why the client is refused, or "" if it is allowed."""
        who = addresses.show(client_address)
        client = _ip_address(client_address)
        if any(client in each for each in _networks("denied_networks", self.denied_networks) if client is not None):
            return f"{who} is in a denied network"
        if self.allowed_networks is None:
            return ""
        allowed = _networks("allowed_networks", self.allowed_networks)
        is_allowed = client is not None and any(client in each for each in allowed)
        return "" if is_allowed else f"{who} is in no allowed network"


def _ip_address(client_address: Any) -> IPAddress | None:
    """Return the client's address; an IPv4-mapped IPv6 address as IPv4."""
    if not isinstance(client_address, tuple):
        return None
    found = ipaddress.ip_address(client_address[0].partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def _networks(name: str, values: Iterable[Any]) -> list[Network]:
    if isinstance(values, str | bytes):
        raise UsageError(f"{name} = {values!r}: expected a list, such as [{values!r}]")
    return [_network(name, each) for each in values]


@lru_cache(maxsize=256)
def _network(name: str, value: Any) -> Network:
    try:
        return ipaddress.ip_network(value)
    except ValueError as error:
        raise UsageError(f"{name}: {value!r} is not a network: {error}") from None
