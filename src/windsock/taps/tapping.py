"""Putting a tap on an accepted socket, whatever its class."""

from __future__ import annotations

from typing import Any

from windsock.net.system import socket
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.taps.stream_tap import Tap

__all__ = ["tap", "tapped_socket"]


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
