"""Putting a tap on an accepted socket, whatever its class."""

from __future__ import annotations

from typing import Any

from windsock.net.system import socket
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.taps.stream_tap import Tap

__all__ = ["TappedSocket", "tap"]


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


_tapped_classes: dict[type[Any], type[Any]] = {}


def tapped_class(kind: type[Any]) -> type[Any]:
    """Return a subclass of this class of sockets, with a tap."""
    found = _tapped_classes.get(kind)
    if found is None:
        bases = (TLSTap if hasattr(kind, "end_tls") else Tap, kind)
        found = _tapped_classes[kind] = type(kind.__name__, bases, {"__module__": kind.__module__})
    return found


def tap(request: Any, connection: Connection) -> Any:
    """Return the request with a tap.

    A plain socket is replaced by a new object, which takes over its descriptor. A socket of any other class stays the
    same object, and its class becomes a subclass with a tap.
    """
    if type(request) is socket.socket:
        timeout = request.gettimeout()
        plain: Any = super(socket.socket, request)  # its family and type are plain numbers, not enums
        request = TappedSocket(plain.family, plain.type, plain.proto, fileno=request.detach())
        if timeout is not None:
            request.settimeout(timeout)
    elif not isinstance(request, Tap):
        request.__class__ = tapped_class(type(request))
    request.begin_recording(connection)
    return request
