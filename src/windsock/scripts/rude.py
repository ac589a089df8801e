"""What a decent program does not do to a socket: resets that nobody can hold up."""

from __future__ import annotations

import contextlib
import functools
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["kernel_socket", "reset", "unacknowledged", "was_reset"]

NO_LINGER = struct.pack("ii", 1, 0)


def kernel_socket(sock: Any) -> Any:
    """Return the socket below all layers, such as TLS."""
    while (raw := getattr(sock, "raw", None)) is not None:
        sock = raw
    return sock


def reset(sock: Any) -> None:
    """Reset a stream connection at once, and close this end of it.

    TCP on Linux: connect(2) to AF_UNSPEC dissolves the connection and sends RST, even while another thread waits for
    it or a forked child has it open too; what the kernel has not sent yet is lost. Elsewhere: SO_LINGER with 0 seconds
    (socket(7)), which takes effect when the last one closes it. A Unix socket's other end sees a reset only if
    something that it has sent is unread (unix(7)); otherwise an orderly end. All who have it open are shut down.
    """
    bare = kernel_socket(sock)
    if bare.fileno() < 0:
        return
    if bare.family == getattr(socket, "AF_UNIX", None):
        _end_unix(bare)
    elif not _dissolve()(bare.fileno()):
        with contextlib.suppress(OSError):
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    abandon = getattr(sock, "abandon", None)
    if abandon is not None:
        abandon()
    bare.close()


def _end_unix(bare: Any) -> None:
    """Close a Unix socket; where others have it open too, end it under their hands, which can't be a reset."""
    bare.close()


@functools.cache
def _dissolve() -> Callable[[int], bool]:
    """Return a function that dissolves a TCP connection, and says whether that went well."""
    if sys.platform != "linux":
        return lambda _: False
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    nowhere = struct.pack("H14x", socket.AF_UNSPEC)
    return lambda descriptor: bool(libc.connect(descriptor, nowhere, len(nowhere)) == 0)


def unacknowledged(sock: Any) -> int:
    """Return how many sent bytes the other end's system does not have yet (SIOCOUTQ, tcp(7)).

    For a Unix socket: more than 0 while the other end has not read all. 0 where the system does not tell.
    """
    import fcntl
    import termios

    try:
        answer = fcntl.ioctl(kernel_socket(sock).fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    return int(struct.unpack("i", answer)[0])


def was_reset(sock: Any) -> bool:
    """Return whether a reset has come behind the end of the stream (SO_ERROR, which is told once)."""
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    except OSError:
        return False
