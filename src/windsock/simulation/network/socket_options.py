"""The options of a socket (getsockopt(2)): those that have an effect here, and those that are only kept."""

from __future__ import annotations

import errno
import struct
from typing import Final

from windsock.net.system import socket
from windsock.simulation.network.failure import failure

__all__ = ["SocketOptions"]

DATAGRAM_BUFFER: Final = 212_992
"""The buffers of Unix and UDP sockets in bytes (net.core.rmem_default)."""
TCP_RECEIVE_BUFFER, TCP_SEND_BUFFER = 131_072, 2_626_560
"""The buffers of a connected TCP socket in bytes. The kernel's start smaller and grow as needed."""
LEAST_RECEIVE_BUFFER, LEAST_SEND_BUFFER, LARGEST_BUFFER = 2304, 4608, 425_984

INTEGER = struct.Struct("i")
LINGER = struct.Struct("ii")
TIME = struct.Struct("ll")
SOCKET = socket.SOL_SOCKET


def known(level: int, **defaults: int) -> dict[tuple[int, int], int]:
    """Return options with their values at first; those that this system has no name for are left out."""
    return {(level, getattr(socket, name)): value for name, value in defaults.items() if hasattr(socket, name)}


COMMON = known(
    SOCKET,
    SO_REUSEADDR=0,
    SO_REUSEPORT=0,
    SO_KEEPALIVE=0,
    SO_BROADCAST=0,
    SO_OOBINLINE=0,
    SO_DONTROUTE=0,
    SO_RCVLOWAT=1,
    SO_PRIORITY=0,
    SO_RCVBUF=DATAGRAM_BUFFER,
    SO_SNDBUF=DATAGRAM_BUFFER,
)
IP = known(socket.IPPROTO_IP, IP_TTL=64, IP_TOS=0)
IPV6 = known(socket.IPPROTO_IPV6, IPV6_V6ONLY=0, IPV6_UNICAST_HOPS=64)
TCP = known(SOCKET, SO_RCVBUF=TCP_RECEIVE_BUFFER, SO_SNDBUF=TCP_SEND_BUFFER) | known(
    socket.IPPROTO_TCP,
    TCP_NODELAY=0,
    TCP_CORK=0,
    TCP_QUICKACK=1,
    TCP_KEEPIDLE=7200,
    TCP_KEEPINTVL=75,
    TCP_KEEPCNT=9,
    TCP_USER_TIMEOUT=0,
    TCP_MAXSEG=32_741,
    TCP_DEFER_ACCEPT=0,
    TCP_SYNCNT=6,
)
UNIX = known(SOCKET, SO_PASSCRED=0)
FLAGS = {
    *known(SOCKET, SO_REUSEADDR=1, SO_REUSEPORT=1, SO_KEEPALIVE=1, SO_BROADCAST=1, SO_OOBINLINE=1, SO_DONTROUTE=1),
    *known(socket.IPPROTO_TCP, TCP_NODELAY=1, TCP_CORK=1),
}
TIMES = {socket.SO_RCVTIMEO, socket.SO_SNDTIMEO}
BUFFERS = {socket.SO_RCVBUF: LEAST_RECEIVE_BUFFER, socket.SO_SNDBUF: LEAST_SEND_BUFFER}


class SocketOptions:
    """The options of one socket. An accepted socket has a copy of its listener's."""

    __slots__ = (
        "_values",
        "is_inline",
        "linger",
        "receive_buffer",
        "reuse_address",
        "reuse_port",
        "send_buffer",
        "times",
        "v6_only",
    )

    def __init__(self, family: int, kind: int) -> None:
        self._values = dict(COMMON)
        if family in (socket.AF_INET, socket.AF_INET6):
            self._values |= IP
            if kind == socket.SOCK_STREAM:
                self._values |= TCP
        if family == socket.AF_INET6:
            self._values |= IPV6
        if family == socket.AF_UNIX:
            self._values |= UNIX
        self.linger: tuple[int, int] = (0, 0)
        """Whether close(2) lingers, and for how many seconds."""
        self.times: dict[int, tuple[int, int]] = dict.fromkeys(TIMES, (0, 0))
        """SO_RCVTIMEO and SO_SNDTIMEO: seconds and microseconds that a blocking call waits; zeros mean no limit."""
        self._refresh()

    def copy(self) -> SocketOptions:
        """Return the same options for another socket."""
        made: SocketOptions = object.__new__(SocketOptions)
        made.take_over(self._values, self.linger, self.times)
        return made

    def take_over(
        self, values: dict[tuple[int, int], int], linger: tuple[int, int], times: dict[int, tuple[int, int]]
    ) -> None:
        """Set all options to a copy of another socket's."""
        self._values, self.linger, self.times = dict(values), linger, dict(times)
        self._refresh()

    def get(self, level: int, name: int, size: int = 0) -> int | bytes:
        """Return an option as an integer, or as at most `size` bytes. Raises OSError (ENOPROTOOPT, EOPNOTSUPP)."""
        return self.encode(self._pack(level, name), size)

    def _pack(self, level: int, name: int) -> bytes:
        if level == SOCKET and name == socket.SO_LINGER:
            return LINGER.pack(*self.linger)
        if level == SOCKET and name in TIMES:
            return TIME.pack(*self.times[name])
        try:
            return INTEGER.pack(self._values[level, name])
        except KeyError:
            is_level = any(known == level for known, _ in self._values)
            raise failure(errno.ENOPROTOOPT if is_level else errno.EOPNOTSUPP) from None

    @staticmethod
    def encode(value: bytes, size: int) -> int | bytes:
        """Return a value as getsockopt() does: the first integer of it, or `size` bytes if any were asked for."""
        return value[:size] if size else int(INTEGER.unpack(value[: INTEGER.size])[0])

    def set(self, level: int, name: int, value: int | bytes) -> None:
        """Set an option. Raises OSError: ENOPROTOOPT if it is not known, EINVAL for a value that is too short."""
        data = INTEGER.pack(value) if isinstance(value, int) else bytes(value)
        if level == SOCKET and name == socket.SO_LINGER:
            is_on, seconds = unpack(LINGER, data)
            self.linger = (int(bool(is_on)), seconds if is_on else self.linger[1])
        elif level == SOCKET and name in TIMES:
            seconds, microseconds = unpack(TIME, data)
            self.times[name] = (seconds, microseconds)
        elif (level, name) in self._values:
            self._values[level, name] = kept(level, name, unpack(INTEGER, data)[0])
            self._refresh()
        else:
            raise failure(errno.ENOPROTOOPT)

    def _refresh(self) -> None:
        """Copy what every call reads into attributes."""
        values = self._values
        self.receive_buffer = values[SOCKET, socket.SO_RCVBUF]
        self.send_buffer = values[SOCKET, socket.SO_SNDBUF]
        self.is_inline = bool(values[SOCKET, socket.SO_OOBINLINE])
        self.reuse_address = bool(values[SOCKET, socket.SO_REUSEADDR])
        self.reuse_port = bool(values[SOCKET, socket.SO_REUSEPORT])
        self.v6_only = bool(values.get((socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)))


def unpack(layout: struct.Struct, data: bytes) -> tuple[int, ...]:
    """Return the integers at the start of an option's bytes. Raises OSError (EINVAL) if there are too few."""
    if len(data) < layout.size:
        raise failure(errno.EINVAL)
    return layout.unpack(data[: layout.size])


def kept(level: int, name: int, value: int) -> int:
    """Return what the system keeps of an option's value: it doubles and limits the sizes of buffers (socket(7))."""
    if level == SOCKET and name in BUFFERS:
        return min(max(2 * value, BUFFERS[name]), LARGEST_BUFFER)
    return int(bool(value)) if (level, name) in FLAGS else value
