"""The addresses of a proxy: where it listens, and its target, whose transport follows from its form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from windsock.errors import UsageError
from windsock.net import addresses
from windsock.net.addresses import Address
from windsock.net.system import connect, os, socket

__all__ = ["AF_UNIX", "BACKLOG", "TRANSPORTS", "Target", "listener", "place_of"]

TRANSPORTS = ("tcp", "udp", "unix_stream", "unix_datagram")
AF_UNIX = getattr(socket, "AF_UNIX", -1)
BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Target:
    """An address that can be connected to, with its transport and family."""

    transport: str
    family: int
    address: Address

    @property
    def is_unix(self) -> bool:
        """True for a path or an abstract name."""
        return self.transport.startswith("unix")

    @property
    def is_datagram(self) -> bool:
        """True if it takes datagrams."""
        return self.transport in ("udp", "unix_datagram")

    @property
    def kind(self) -> int:
        """SOCK_STREAM or SOCK_DGRAM."""
        return socket.SOCK_DGRAM if self.is_datagram else socket.SOCK_STREAM


def place_of(address: Any, transport: str | None) -> Target:
    """Return the place that an address means; raise UsageError for what is none.

    `(host, port)` is TCP unless `transport` says "udp". A path (or abstract name) is a stream unless it says
    "unix_datagram", or a datagram socket is bound there now.
    """
    if transport is not None and transport not in TRANSPORTS:
        raise UsageError(f"transport={transport!r}: expected one of {', '.join(map(repr, TRANSPORTS))}")
    if isinstance(address, tuple | list) and len(address) >= 2:
        return _ip_place(address, transport or "tcp")
    if isinstance(address, str | bytes | os.PathLike) and AF_UNIX >= 0:
        return _unix_place(addresses.plain(os.fspath(address)), transport)
    raise UsageError(f"address={address!r}: expected (host, port), or the path of a Unix socket")


def _ip_place(address: Any, transport: str) -> Target:
    host, port = address[:2]
    if transport not in ("tcp", "udp"):
        raise UsageError(
            f"address={address!r} with transport={transport!r}: expected a path, or transport='tcp' or 'udp'"
        )
    if not isinstance(host, str) or type(port) is not int or not 0 < port < 65536:
        raise UsageError(f"address={address!r}: expected a host (str) and a port from 1 to 65535")
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    try:
        found = socket.getaddrinfo(host, port, type=kind)
    except OSError as error:
        raise UsageError(f"address={address!r}: {host!r} can't be found: {error}") from error
    family, _, _, _, there = found[0]
    return Target(transport, int(family), there)


def _unix_place(path: Address, transport: str | None) -> Target:
    if not path:
        raise UsageError(f"address={path!r}: expected the path of a Unix socket, or an abstract name")
    if transport in ("tcp", "udp"):
        raise UsageError(f"address={path!r} with transport={transport!r}: expected (host, port)")
    if not addresses.is_abstract(path):
        addresses.check_unix_path(path)
    if transport is None:
        transport = "unix_datagram" if _takes_datagrams(path) else "unix_stream"
    return Target(transport, AF_UNIX, path)


def _takes_datagrams(path: Address) -> bool:
    """Ask the socket that is bound there: connect(2) of the other type fails with EPROTOTYPE."""
    with socket.socket(AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            connect(probe, path)
        except OSError:
            return False
        return True


def listener(upstream: Target, where: Any) -> socket.socket:
    """Return a socket of the same transport, bound there and not yet listening; with None, to a new loopback port.

    Raises UsageError if that is the very address it leads to.
    """
    if where is not None and _is_same(where, upstream.address):
        raise UsageError(f"listen={where!r}: a proxy to itself; expected another place than where it leads")
    made = socket.socket(upstream.family, upstream.kind)
    try:
        if not upstream.is_datagram and upstream.family != AF_UNIX:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # another one is to hold the port as well
        made.bind(where if where is not None else ("::1" if upstream.family == socket.AF_INET6 else "127.0.0.1", 0))
        if where is None and _is_same(made.getsockname(), upstream.address):
            return _another(made, upstream)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


def _another(unlucky: socket.socket, upstream: Target) -> socket.socket:
    """Replace a port that the system has given us and that is our own target, where nothing listens now."""
    try:
        return listener(upstream, None)
    finally:
        unlucky.close()


def _is_same(mine: Any, there: Any) -> bool:
    if not isinstance(mine, tuple) or not isinstance(there, tuple):
        return bool(addresses.plain(mine) == addresses.plain(there))
    is_any = mine[0] in ("0.0.0.0", "::") and addresses.is_loopback(there[0])
    return bool(mine[1] == there[1] and (mine[0] == there[0] or is_any))
