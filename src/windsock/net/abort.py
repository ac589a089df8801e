"""Ends of sockets, for scripts: close and reset them in any layer, and find out how they ended."""

from __future__ import annotations

import contextlib
from typing import Any

from windsock.net import sockets
from windsock.net.system import os, select, socket

__all__ = ["close", "has_hung_up", "kernel_socket", "reset", "unacknowledged", "was_reset"]


def kernel_socket(sock: Any) -> Any:
    """Return the socket below all layers, such as TLS."""
    while (raw := getattr(sock, "raw", None)) is not None:
        sock = raw
    return sock


def close(sock: Any) -> None:
    """Close a socket, of whatever layers; the other end sees it whatever process holds a copy of the socket below."""
    bare = kernel_socket(sock)
    if bare is sock:
        sockets.end(bare)
        sock.close()
        return
    twin = None
    with contextlib.suppress(OSError):
        twin = socket.socket(fileno=os.dup(bare.fileno()))
    try:
        sock.close()  # which says the last word of TLS
    finally:
        if twin is not None:
            sockets.end(twin)
            twin.close()


def reset(sock: Any) -> None:
    """Reset a stream connection at once, and close this end of it; see `windsock.net.sockets.reset`."""
    bare = kernel_socket(sock)
    if bare.fileno() < 0:
        return
    abandon = getattr(sock, "abandon", None)
    sockets.reset(bare)
    if abandon is not None:
        abandon()


def unacknowledged(sock: Any) -> int:
    """Return how many sent bytes the other end's system does not have yet."""
    return sockets.unacknowledged(kernel_socket(sock))


def was_reset(sock: Any) -> bool:
    """Return whether a reset has come behind the end of the stream (SO_ERROR, which is told once)."""
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    except OSError:
        return False


def has_hung_up(sock: Any) -> bool:
    """Return whether a Unix stream socket's other end has closed, or shut down both ways (POLLHUP, poll(2)).

    Also if each end has shut down what it sends. False for any other socket: a reset may come from beyond TCP's end.
    """
    bare = kernel_socket(sock)
    if bare.fileno() < 0 or bare.family != getattr(socket, "AF_UNIX", None):
        return False
    poll = select.poll()
    poll.register(bare.fileno(), 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))
