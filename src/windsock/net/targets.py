"""Targets: the address to connect to, with its family and the types of socket that it may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from windsock.errors import UsageError
from windsock.net import addresses
from windsock.net.records import SEQPACKET, are_supported
from windsock.net.system import connect, os, socket

__all__ = ["AF_UNIX", "TRANSPORTS", "Target", "Unit", "target_of"]

TRANSPORTS = ("tcp", "udp", "unix_stream", "unix_datagram", "unix_seqpacket")
Unit: TypeAlias = Literal["stream", "datagram", "record"]
AF_UNIX = getattr(socket, "AF_UNIX", -1)
STREAM, DATAGRAM, RECORD = (socket.SOCK_STREAM,), (socket.SOCK_DGRAM,), (SEQPACKET,)
UNIX_KINDS = {"unix_stream": STREAM, "unix_datagram": DATAGRAM, "unix_seqpacket": RECORD}


@dataclass(frozen=True, slots=True)
class Target:
    """An address to connect to; `kinds` are the socket types to try, in order."""

    address: Any
    family: int
    kinds: tuple[int, ...]

    @property
    def is_unix(self) -> bool:
        """True for a path or an abstract name."""
        return self.family == AF_UNIX

    @property
    def is_datagram(self) -> bool:
        """True if only datagram sockets should be tried."""
        return self.kinds == DATAGRAM

    @property
    def keeps_records(self) -> bool:
        """True for connections that keep records."""
        return self.kinds == RECORD

    @property
    def unit(self) -> Unit:
        """What such sockets carry: "stream", "datagram" or "record"."""
        return "datagram" if self.is_datagram else "record" if self.keeps_records else "stream"

    @property
    def kind(self) -> int:
        """The type to try first: SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET."""
        return self.kinds[0]

    def resolved(self, beside: Any = None) -> Target:
        """Return the target with the address of its host name, or the type of the Unix socket that exists there now.

        Of several addresses it is the first one of the family of `beside`, (host, port), or the first one.
        Raises UsageError for an unknown host.
        """
        if self.is_unix:
            if len(self.kinds) == 1:
                return self
            return Target(self.address, AF_UNIX, DATAGRAM if _takes_datagrams(self.address) else STREAM)
        host, port = self.address[:2]
        try:
            found = socket.getaddrinfo(host, port, type=self.kind)
        except OSError as error:
            raise UsageError(f"address {self.address!r}: {host!r} can't be found: {error}") from error
        wanted = _family_of(beside) if isinstance(beside, tuple | list) and beside else None
        family, _, _, _, there = next((each for each in found if each[0] == wanted), found[0])
        return Target(there, int(family), self.kinds)


def target_of(address: Any, transport: str | None = None) -> Target:
    """Return the target for an address. Raises UsageError for any other value.

    `(host, port)` is TCP unless `transport` is "udp". A path or an abstract name is a stream or, if such a socket
    exists there, a datagram socket, unless `transport` is "unix_stream", "unix_datagram" or "unix_seqpacket". Of an
    object with an attribute `address`, such as a running server, that is the address.
    """
    address = getattr(address, "address", address)
    if transport is not None and transport not in TRANSPORTS:
        raise UsageError(f"transport={transport!r}: expected one of {', '.join(map(repr, TRANSPORTS))}")
    if isinstance(address, str | bytes | os.PathLike) and AF_UNIX >= 0:
        return _unix_target(addresses.plain(os.fspath(address)), transport)
    if not _is_ip(address):
        raise _no_address(address)
    if transport in UNIX_KINDS:
        raise UsageError(f"address {address!r} is a host and a port; transport={transport!r} does not fit")
    return Target(tuple(address), _family_of(address), DATAGRAM if transport == "udp" else STREAM)


def _family_of(address: Any) -> int:
    return socket.AF_INET6 if ":" in str(address[0]) else socket.AF_INET


def _unix_target(path: Any, transport: str | None) -> Target:
    if not path:
        raise _no_address("")
    if transport in ("tcp", "udp"):
        raise UsageError(f"address {path!r} is the path of a Unix socket; transport={transport!r} does not fit")
    if not addresses.is_abstract(path):
        addresses.check_unix_path(path)
    if transport == "unix_seqpacket" and not are_supported():
        raise UsageError(f"transport={transport!r}: this system has no SOCK_SEQPACKET for Unix sockets; Linux has")
    return Target(path, AF_UNIX, UNIX_KINDS.get(transport or "", STREAM + DATAGRAM))


def _is_ip(address: Any) -> bool:
    return (
        isinstance(address, tuple | list)
        and len(address) in (2, 4)
        and isinstance(address[0], str)
        and type(address[1]) is int
        and 0 < address[1] < 65536
    )


def _no_address(address: Any) -> UsageError:
    return UsageError(
        f"address {address!r}: expected (host, port) with a port from 1 to 65535, "
        "or the path or abstract name of a Unix socket"
    )


def _takes_datagrams(path: Any) -> bool:
    """Return whether a datagram socket is bound there: connect(2) of the other type fails with EPROTOTYPE."""
    with socket.socket(AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            connect(probe, path)
        except OSError:
            return False
        return True
