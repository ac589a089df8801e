"""Addresses of the Internet families: from and to the tuples of Python's sockets."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, NamedTuple

from windsock.net.system import socket

__all__ = ["ANY", "IPEndpoint", "endpoint_from", "is_any", "shown"]

ANY: dict[int, str] = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
BROADCAST = "255.255.255.255"
MAPPED = "::ffff:"


class IPEndpoint(NamedTuple):
    """An address and a port. IPv4 addresses are dotted here, also those that an IPv6 socket writes as mapped ones."""

    ip: str
    port: int


def is_any(ip: str) -> bool:
    """Return whether an address means all addresses of a host."""
    return ip in ("0.0.0.0", "::")


def endpoint_from(family: int, address: Any, call: str, resolve: Callable[[str, int], str]) -> IPEndpoint:
    """Return the endpoint for an address as passed to a socket's method, whose name is `call`.

    `resolve` returns the address of a name for a family. Raises TypeError and OverflowError as Python's sockets do.
    """
    if not isinstance(address, tuple):
        raise TypeError(f"{call}(): address of a socket of the Internet must be tuple, not {type(address).__name__}")
    most = 2 if family == socket.AF_INET else 4
    if not 2 <= len(address) <= most:
        raise TypeError(f"{call}(): {address!r}: expected (host, port)" + (" with flow and scope" if most > 2 else ""))
    host, port = address[:2]
    if isinstance(host, bytes | bytearray):
        host = bytes(host).decode("ascii")
    if not isinstance(host, str):
        raise TypeError(f"{call}(): host {host!r}: expected str or bytes")
    if not isinstance(port, int):
        raise TypeError(f"{call}(): port {port!r}: expected int")
    if not 0 <= port <= 65535:
        raise OverflowError(f"{call}(): port must be 0-65535.")
    return IPEndpoint(ip_of(family, host, resolve), port)


def ip_of(family: int, host: str, resolve: Callable[[str, int], str]) -> str:
    """Return the address of a host, which is an address itself, a name, "" or "<broadcast>"."""
    if not host:
        return ANY[family]
    if host == "<broadcast>" and family == socket.AF_INET:
        return BROADCAST
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return resolve(host, family)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    is_same_family = (family == socket.AF_INET) == (parsed.version == 4)
    return str(parsed) if is_same_family else resolve(host, family)


def shown(family: int, endpoint: IPEndpoint) -> tuple[Any, ...]:
    """Return an endpoint as Python's sockets show it."""
    if family == socket.AF_INET:
        return tuple(endpoint)
    ip = endpoint.ip if ":" in endpoint.ip else f"{MAPPED}{endpoint.ip}"
    return (ip, endpoint.port, 0, 0)
