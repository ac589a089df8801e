"""The real clock and sockets for trio, whatever a tool has replaced."""

from __future__ import annotations

import contextlib
import socket as standard  # the standard library's own, which trio uses
from collections.abc import Iterator
from typing import Any

from windsock.errors import UsageError
from windsock.net.records import keeps_records
from windsock.net.system import monotonic, patched_by_gevent, socket


class _StandIn(socket.socket):
    """A plain socket class, in place of `socket.socket` while trio is imported if a tool has replaced that."""

    __slots__ = ()


@contextlib.contextmanager
def _stand_in() -> Iterator[None]:
    """Put a class of our own in place of a tool's.

    No other code sets this class. If it is not there at the end, another thread has changed `socket.socket`.
    """
    names: dict[str, Any] = vars(standard)
    replaced, names["socket"] = names["socket"], _StandIn
    try:
        yield
    finally:
        if names["socket"] is _StandIn:
            names["socket"] = replaced


with contextlib.nullcontext() if standard.socket is socket.socket else _stand_in():
    import trio  # trio keeps the methods of the class that it finds

__all__ = ["RealClock", "check_usable", "stream_over"]


class RealClock(trio.abc.Clock):
    """The real clock, for servers that run trio: freezegun stops the default clock of trio."""

    def start_clock(self) -> None:
        """Do nothing: the clock always runs."""

    def current_time(self) -> float:
        """Return monotonic seconds."""
        return monotonic()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Return how many seconds are left until the deadline."""
        return deadline - monotonic()


def check_usable() -> None:
    """Raise UsageError where trio cannot run."""
    if patched_by_gevent():
        raise UsageError(
            "concurrency='trio': trio does not run where gevent.monkey has patched the standard library; "
            "serve with concurrency='threading', 'forking', 'selecting' or 'sync'"
        )


def stream_over(sock: socket.socket) -> Any:
    """Return a stream over a socket. An object of another class than `socket.socket` is detached first."""
    if type(sock) is not socket.socket:
        sock = socket.socket(fileno=sock.detach())
    if standard.socket is socket.socket:
        return _stream(sock)
    with _stand_in():
        sock.__class__ = _StandIn
        try:
            return _stream(sock)
        finally:
            sock.__class__ = socket.socket


def _stream(sock: socket.socket) -> Any:
    """Return a trio.SocketStream, or a RecordStream over a socket that keeps records."""
    if keeps_records(sock):
        from windsock.servers.trio.records import RecordStream

        return RecordStream(trio.socket.from_stdlib_socket(sock))
    return trio.SocketStream(trio.socket.from_stdlib_socket(sock))
