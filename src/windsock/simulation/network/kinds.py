"""The kinds of sockets that there are, by family and type (socket(2))."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from windsock.net.system import socket
from windsock.simulation.network.failure import failure
from windsock.simulation.network.simulated_socket import SimulatedSocket
from windsock.simulation.network.tcp.socket import TCPSocket
from windsock.simulation.network.udp_socket import UDPSocket
from windsock.simulation.network.unix.datagram_socket import UnixDatagramSocket
from windsock.simulation.network.unix.stream_socket import UnixStreamSocket

if TYPE_CHECKING:
    from windsock.simulation.network.socket_host import SocketHost

__all__ = ["new_socket"]

PROTOCOLS: dict[int, tuple[int, int]] = {
    socket.SOCK_STREAM: (0, socket.IPPROTO_TCP),
    socket.SOCK_DGRAM: (0, socket.IPPROTO_UDP),
}
"""The protocols of the Internet families by type."""


def new_socket(host: SocketHost, family: int, kind: int, proto: int) -> SimulatedSocket:
    """Return a new socket. Raises OSError (EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT)."""
    if family == socket.AF_UNIX:
        return _unix(host, kind, proto)
    if family not in (socket.AF_INET, socket.AF_INET6):
        raise failure(errno.EAFNOSUPPORT)
    if kind not in PROTOCOLS:
        raise failure(errno.ESOCKTNOSUPPORT)
    if proto not in PROTOCOLS[kind]:
        raise failure(errno.EPROTONOSUPPORT)
    made: Callable[[SocketHost, int], SimulatedSocket] = TCPSocket if kind == socket.SOCK_STREAM else UDPSocket
    return made(host, family)


def _unix(host: SocketHost, kind: int, proto: int) -> SimulatedSocket:
    if proto:
        raise failure(errno.EPROTONOSUPPORT)
    if kind == socket.SOCK_DGRAM:
        return UnixDatagramSocket(host)
    if kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        return UnixStreamSocket(host, kind)
    raise failure(errno.ESOCKTNOSUPPORT)
