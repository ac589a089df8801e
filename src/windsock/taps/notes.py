"""What taps record: failed calls, ends, descriptors and urgent data."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from windsock.net import ancillary as ancillary_data
from windsock.net import sockets
from windsock.net.system import socket
from windsock.net.urgent import OOB
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.security.alerts import alert_of

__all__ = ["NOWHERE", "is_lost", "mark_lost", "note_descriptors", "note_failure", "note_sent", "unread_at_end"]

GONE = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)


def note_failure(connection: Connection, error: OSError, whose: Connection | None = None) -> None:
    """Record what a failed call means for the client.

    The error is marked with the connection that it ended: `whose`, if nothing is recorded there (`mute()`).
    """
    if isinstance(error, GONE):
        mark_lost(error, whose or connection)
        connection.note(Kind.CLIENT_RESET)
    elif isinstance(error, TimeoutError):
        connection.note(Kind.TIMEOUT)
    elif (alert := alert_of(error)) is not None:
        connection.note(Kind.TLS_ALERT, alert.encode())


def unread_at_end(connection: Connection, sock: Any) -> bytes:
    """Return the data of the event that a connection is closed: how many bytes from the client were not read."""
    if connection.has_clients_end or not isinstance(sock, socket.socket):  # a wrapper such as TLS
        return b""
    count = sockets.unread(sock)
    return b"%d" % count if count else b""


def mark_lost(error: OSError, connection: Connection) -> None:
    """Mark an error with the connection that it ended; a handler's other connections fail with similar errors."""
    error.lost_connection = weakref.ref(connection)  # type: ignore[attr-defined]  # an attribute of ours


def is_lost(error: OSError, connection: Connection) -> bool:
    """Return whether the error means the end of this connection."""
    lost = getattr(error, "lost_connection", None)
    return lost is not None and lost() is connection


def note_descriptors(connection: Connection, what: str, ancillary: Iterable[Any]) -> None:
    """Record the descriptors that came, or go, with the bytes that are recorded next."""
    count = ancillary_data.count_of(ancillary)
    if count:
        connection.note(Kind.NOTE, f"{what} {ancillary_data.in_words(count)}".encode())


def note_sent(connection: Connection, whole: bytes, flags: int) -> None:
    """Record data for the client; with MSG_OOB, its last byte is urgent."""
    if not (flags & OOB and whole):
        connection.note(Kind.DOWN, whole)
        return
    if len(whole) > 1:
        connection.note(Kind.DOWN, whole[:-1])
    connection.note(Kind.URGENT_DOWN)
    connection.note(Kind.DOWN, whole[-1:])


class _Nowhere:
    """A connection and context manager that record nothing."""

    has_clients_end = True

    def noted_after(self, kind: int, data: bytes = b"") -> _Nowhere:  # noqa: ARG002  # as Connection's
        """Do nothing."""
        return self

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *exc_info: object) -> None:
        """Do nothing."""

    def note(self, kind: int, data: bytes = b"") -> None:
        """Do nothing."""

    def retract(self, size: int) -> None:
        """Do nothing."""


NOWHERE: Any = _Nowhere()
