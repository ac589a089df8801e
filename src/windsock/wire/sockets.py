"""What a relay does to a socket beside reading and writing: reset it, for real, and look what is still on its way."""

from __future__ import annotations

import contextlib
import errno
import functools
import struct
import sys
from typing import Any

from windsock.net.system import os, socket

__all__ = ["close", "dissolve", "error_of", "is_ip", "prepare", "reset", "unacknowledged"]

RECEIVED, SENT = 384 * 1024, 1024 * 1024
"""Bytes in the system's buffers of a TCP connection: more than fits into a core's cache makes bulk slower."""
MOST_READS = 64
"""Blocks of 64 KiB that are read and thrown away before a close."""
NO_LINGER = struct.pack("ii", 1, 0)
NOWHERE = struct.pack("H14x", socket.AF_UNSPEC)


def is_ip(each: socket.socket) -> bool:
    """Return whether it speaks TCP or UDP, and not to a Unix socket."""
    return each.family in (socket.AF_INET, socket.AF_INET6)


def prepare(each: socket.socket) -> None:
    """Make a stream socket fit for a relay: it never blocks, and never waits with a small rest."""
    each.setblocking(False)
    if is_ip(each):
        with contextlib.suppress(OSError):  # the client may have reset it by now (macOS)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT)


def reset(each: socket.socket) -> None:
    """Close so that the other end is reset, at once and whoever else holds the socket.

    TCP on Linux: connect(2) to AF_UNSPEC dissolves the connection, which sends RST. Elsewhere SO_LINGER with 0
    seconds (socket(7)), which needs the only reference. A Unix socket's other end is only reset if there is
    something that it has sent and nobody has read (unix(7)); otherwise it sees the end of the stream.
    """
    if is_ip(each) and each.fileno() >= 0 and not dissolve(each.fileno()):
        with contextlib.suppress(OSError):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    each.close()


def close(each: socket.socket) -> None:
    """Close so that the other end sees the end of the stream, whoever else holds the socket, and no reset."""
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_WR)
        for _ in range(MOST_READS):  # who sends on and on has to be reset
            if not each.recv(65536):
                break
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


def dissolve(descriptor: int) -> bool:
    """Dissolve a TCP connection with connect(2) to AF_UNSPEC, which sends RST; return whether that went well."""
    try:
        connect = _connect()
    except (ImportError, OSError):  # there is no descriptor left to load it with
        return False
    return connect is not None and bool(connect(descriptor, NOWHERE, len(NOWHERE)) == 0)


@functools.cache
def _connect() -> Any:
    """Return the C library's function, where it dissolves connections."""
    if sys.platform != "linux":
        return None
    import ctypes

    return ctypes.CDLL(None, use_errno=True).connect


def unacknowledged(each: socket.socket) -> int:
    """Return how many bytes have been written that the other end's system does not have (SIOCOUTQ, tcp(7)).

    For a Unix socket, what the other end has not read. 0 where the system does not tell.
    """
    import termios

    from windsock.net.system import fcntl

    try:
        answer: Any = fcntl.ioctl(each.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    return int(struct.unpack("i", answer)[0])


def error_of(each: socket.socket) -> OSError:
    """Return what went wrong with a connection, as SO_ERROR has it (once)."""
    number = each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or errno.ECONNRESET
    return OSError(number, os.strerror(number))
