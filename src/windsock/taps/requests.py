"""Taps on requests: put on, muted, the recorded connection behind one, and which errors are the client's doing."""

from __future__ import annotations

import contextlib
import pickle
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from windsock.net.system import socket
from windsock.recording import Connection, HandlerFailed
from windsock.recording.events import Kind
from windsock.security.handshake_info import HandshakeFailed
from windsock.servers.requests import client_is_gone
from windsock.taps.datagram_tap import DatagramTap
from windsock.taps.notes import is_lost
from windsock.taps.stream_tap import Tap

__all__ = [
    "UNTAPPED",
    "connection_of",
    "meant",
    "muted",
    "noting_handshake",
    "says_client_is_gone",
    "tap",
    "tapped_socket",
]

UNTAPPED: weakref.WeakKeyDictionary[socket.socket, Connection] = weakref.WeakKeyDictionary()
"""Classes of requests whose traffic is recorded elsewhere than on the socket itself."""


class TappedSocket(Tap, socket.socket):
    """A tap on a plain socket."""


class TLSTap(Tap):
    """A tap on TLS over a socket with a tap of its own, which takes over when TLS ends."""

    raw: Any

    def end_tls(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """See TLSSocket."""
        connection = self._connection
        try:
            within, behind = super().end_tls(timeout)  # type: ignore[misc]  # TLSSocket has it
        except OSError as error:
            self._note_failure(error)
            raise
        if within:
            connection.note(Kind.UP, within)
        if getattr(self, "was_truncated", False):
            self._note_end()
        connection.note(Kind.TLS_END)
        if behind:
            connection.note(Kind.UP, behind)
        self.mute()
        if isinstance(self.raw, Tap):
            self.raw.unmute()
        return within, behind


_tapped_classes: dict[tuple[type[Any], type[Tap]], type[Any]] = {}


def tapped_class(kind: type[Any], tap_class: type[Tap]) -> type[Any]:
    """Return a subclass of this class of sockets, with a tap."""
    found = _tapped_classes.get((kind, tap_class))
    if found is None:
        bases = (TLSTap if hasattr(kind, "end_tls") else tap_class, kind)
        found = _tapped_classes[kind, tap_class] = type(kind.__name__, bases, {"__module__": kind.__module__})
    return found


def tapped_socket(tap_class: type[Tap]) -> type[socket.socket]:
    """Return the class of plain sockets with a tap."""
    found: type[socket.socket] = TappedSocket if tap_class is Tap else tapped_class(socket.socket, tap_class)
    return found


def tap(request: Any, connection: Connection, tap_class: type[Tap] = Tap) -> Any:
    """Return the request with a tap of a class.

    A plain socket is replaced by a new object, which takes over its descriptor. A socket of any other class stays the
    same object, and its class becomes a subclass with a tap.
    """
    if type(request) is socket.socket:
        timeout = request.gettimeout()
        plain: Any = super(socket.socket, request)  # its family and type are plain numbers, not enums
        request = tapped_socket(tap_class)(plain.family, plain.type, plain.proto, fileno=request.detach())
        if timeout is not None:
            request.settimeout(timeout)
    elif not isinstance(request, Tap):
        request.__class__ = tapped_class(type(request), tap_class)
    request.begin_recording(connection)
    return request


@contextlib.contextmanager
def muted(request: Any) -> Iterator[None]:
    """Record nothing that passes through the request's tap, if it has one, in this block."""
    if isinstance(request, Tap):
        request.mute()
    try:
        yield
    finally:
        if isinstance(request, Tap):
            request.unmute()


@contextlib.contextmanager
def noting_handshake(connection: Connection | None) -> Iterator[Callable[[Any], None]]:
    """Record the result of a handshake: what the block reports, or the HandshakeFailed that it raises."""

    def note(handshake: Any) -> None:
        if connection is not None and handshake is not None:
            connection.note(Kind.TLS, pickle.dumps(handshake))

    try:
        yield note
    except HandshakeFailed as error:
        note(error.handshake)
        raise


def connection_of(request: Any) -> Connection | None:
    """Return the recorded connection of a request that has passed the seam."""
    if isinstance(request, tuple) and len(request) == 2:
        request = request[1]
    if isinstance(request, Tap):
        return request.recorded_as
    if type(request) is socket.socket:
        return UNTAPPED.get(request)
    return request.recorded_as if isinstance(request, DatagramTap) else None


def says_client_is_gone(request: Any, error: BaseException) -> bool:
    """Return whether an exception means that this client reset, left or ended its connection with an alert.

    A handler's other connections (to a database, say) fail with the same errors. So where this connection has a tap,
    only errors that the tap has seen count. An alert has its connection (`windsock.security.alerts`).
    """
    if not isinstance(error, OSError) or not client_is_gone(request, error):
        return False
    connection = connection_of(request)
    return connection is None or hasattr(error, "ended_by_alert") or is_lost(error, connection)


def meant(error: BaseException) -> BaseException:
    """Return the handler's exception behind a stand-in, which trio may have put into groups."""
    leaf = error
    while isinstance(leaf, BaseExceptionGroup) and len(leaf.exceptions) == 1:
        leaf = leaf.exceptions[0]
    return leaf.__cause__ or error if isinstance(leaf, HandlerFailed) else error
