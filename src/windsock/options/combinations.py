"""Which class serves which combination of transport and concurrency."""

from __future__ import annotations

from typing import Any

from windsock import servers
from windsock.errors import UsageError, WindsockError
from windsock.net import virtual
from windsock.net.records import SEQPACKET, are_supported
from windsock.net.system import os, socket

__all__ = [
    "CONCURRENCIES",
    "TRANSPORTS",
    "Unsupported",
    "check_platform",
    "class_for",
    "concurrency_of",
    "transport_of",
]

TRANSPORTS = {
    "tcp": "TCPServer",
    "udp": "UDPServer",
    "unix_stream": "UnixStreamServer",
    "unix_datagram": "UnixDatagramServer",
    "unix_seqpacket": "UnixSeqpacketServer",
}
CONCURRENCIES = {"sync": "", "threading": "Threading", "forking": "Forking", "selecting": "Selecting", "trio": "Trio"}


class Unsupported(WindsockError):
    """This platform lacks something that the server needs. The plugin skips such a test."""


def class_for(transport: str, concurrency: str) -> type[servers.BaseServer]:
    """Return the class of the family, such as ThreadingTCPServer.

    Raises UsageError for names that do not exist, Unsupported where the platform lacks fork(2), waitid(2) or AF_UNIX.
    """
    if transport not in TRANSPORTS:
        raise UsageError(f"transport={transport!r}: expected one of {', '.join(map(repr, TRANSPORTS))}")
    if concurrency not in CONCURRENCIES:
        raise UsageError(f"concurrency={concurrency!r}: expected one of {', '.join(map(repr, CONCURRENCIES))}")
    if concurrency == "forking" and not hasattr(os, "fork"):
        raise Unsupported(f"concurrency={concurrency!r} needs os.fork(), which this platform does not have")
    if concurrency == "forking" and not hasattr(os, "waitid"):
        raise Unsupported(f"concurrency={concurrency!r} needs os.waitid(), which Python on macOS has from 3.13 on")
    if concurrency == "forking" and virtual.is_live():
        raise Unsupported(f"concurrency={concurrency!r} needs processes, which a simulated world does not have")
    check_platform(transport)
    found: type[servers.BaseServer] = getattr(servers, CONCURRENCIES[concurrency] + TRANSPORTS[transport])
    return found


def check_platform(transport: str) -> None:
    """Raise Unsupported where the platform lacks the sockets of a transport."""
    if transport.startswith("unix") and not hasattr(socket, "AF_UNIX"):
        raise Unsupported(f"transport={transport!r} needs AF_UNIX sockets, which this platform does not have")
    if transport == "unix_seqpacket" and not are_supported():
        raise Unsupported(f"transport={transport!r} needs SOCK_SEQPACKET for Unix sockets (Linux has them; macOS not)")


def transport_of(server_class: Any) -> str:
    """Return the transport that a server class speaks, by its address family and socket type."""
    family = getattr(server_class, "address_family", None)
    kind = getattr(server_class, "socket_type", None)
    is_unix = family == getattr(socket, "AF_UNIX", object())
    if kind == socket.SOCK_DGRAM:
        return "unix_datagram" if is_unix else "udp"
    if is_unix and kind == SEQPACKET:
        return "unix_seqpacket"
    return "unix_stream" if is_unix else "tcp"


def concurrency_of(server_class: Any) -> str:
    """Return what one request gets, by the names of the mix-ins among the bases."""
    names = {base.__name__ for base in server_class.__mro__}
    for concurrency, prefix in CONCURRENCIES.items():
        if f"{prefix}MixIn" in names:
            return concurrency
    return "sync"
