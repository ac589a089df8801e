"""What is done to a connection that something else serves: sending without waiting, ending it. In any process."""

from __future__ import annotations

import contextlib
from typing import Any

from windsock.endpoints.endpoint import DONTWAIT
from windsock.net import sockets
from windsock.net.deadlines import milliseconds
from windsock.net.system import monotonic, select, socket
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.taps.stream_tap import Tap

__all__ = ["BLOCK", "HOW", "end", "send_now", "wait_writable"]

BLOCK = 64 * 1024
"""The most bytes that one call sends."""
MOMENT = 0.05
"""Seconds."""
HOW = {"half_close": socket.SHUT_WR, "close": socket.SHUT_RDWR, "reset": socket.SHUT_RDWR}
"""The directions in which a connection ends."""


def send_now(request: Any, connection: Connection, data: bytes) -> int:
    """Send what goes at once; return how much. Recorded before it is sent. Raises OSError for a lost connection."""
    if isinstance(request, Tap):
        with contextlib.suppress(BlockingIOError):
            return request.send(data, DONTWAIT)
        return 0
    connection.note(Kind.DOWN, data)
    size = 0
    try:
        with contextlib.suppress(BlockingIOError):
            size = request.send(data, DONTWAIT)
    finally:
        connection.retract(len(data) - size)
    return size


def wait_writable(descriptor: int, until: float) -> None:
    """Wait until a socket takes more, for a moment at most, since another thread may close it; not after `until`."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll(milliseconds(min(until - monotonic(), MOMENT)))


def end(request: Any, connection: Connection, how: str) -> None:
    """End a connection, below TLS: "half_close", "close" or "reset". Its socket stays open for who serves it."""
    with contextlib.suppress(OSError):  # the client is gone
        if how == "reset" and sockets.is_ip(request):
            connection.note(Kind.SERVER_RESET)
            if sockets.dissolve(request.fileno()):
                return
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, sockets.NO_LINGER)
        with connection.noted_after(Kind.HALF_CLOSE):
            socket.socket.shutdown(request, HOW[how])
