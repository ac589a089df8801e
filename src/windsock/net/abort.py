"""Closing and resetting sockets, wrapped or not, and finding out how they ended."""

from __future__ import annotations

import contextlib
from typing import Any

from windsock.net import sockets
from windsock.net.system import os, select, socket

__all__ = ["close", "has_hung_up", "kernel_socket", "reset", "unacknowledged", "was_reset"]


def kernel_socket(sock: Any) -> Any:
    """Return the socket below all wrappers, such as TLS."""
    while (raw := getattr(sock, "raw", None)) is not None:
        sock = raw
    return sock


def close(sock: Any) -> None:
    """Close a socket, wrapped or not; the other end sees it even if other processes hold copies of the socket."""
    bare = kernel_socket(sock)
    if bare is sock:
        sockets.end(bare)
        sock.close()
        return
    twin = None
    with contextlib.suppress(OSError):
        twin = socket.socket(fileno=os.dup(bare.fileno()))
    try:
        sock.close()  # sends close_notify
    finally:
        if twin is not None:
            sockets.end(twin)
            twin.close()


def reset(sock: Any) -> None:
    """Reset a stream connection at once, and close its socket; see `windsock.net.sockets.reset`."""
    bare = kernel_socket(sock)
    if bare.fileno() < 0:
        return
    abandon = getattr(sock, "abandon", None)
    sockets.reset(bare)
    if abandon is not None:
        abandon()


def unacknowledged(sock: Any) -> int:
    """Return how many sent bytes the other end's kernel has not received yet."""
    return sockets.unacknowledged(kernel_socket(sock))


def was_reset(sock: Any) -> bool:
    """Return whether a reset has come after the end of the stream (SO_ERROR, which reports it once)."""
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    except OSError:
        return False


def has_hung_up(sock: Any) -> bool:
    """Return whether a Unix stream socket's other end has closed, or shut down both ways (POLLHUP, poll(2)).

    True also if each end has shut down writing. False for other sockets: a TCP reset may come after the end.
    """
    bare = kernel_socket(sock)
    if bare.fileno() < 0 or bare.family != getattr(socket, "AF_UNIX", None):
        return False
    poll = select.poll()
    poll.register(bare.fileno(), 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))
