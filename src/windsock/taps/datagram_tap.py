"""A recording tap for one datagram: the server's socket as its handler sees it, recording the replies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from windsock.net.system import socket
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.taps.notes import note_descriptors

__all__ = ["DatagramTap"]

Result = TypeVar("Result")


class DatagramTap:
    """The server's own socket; what is sent through it is recorded as a reply to one datagram."""

    __slots__ = ("_socket", "recorded_as")

    def __init__(self, server_socket: socket.socket, connection: Connection) -> None:
        self._socket = server_socket
        self.recorded_as: Connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def send(self, data: Any, flags: int = 0, /) -> int:
        """See socket.socket."""
        return self._noting(data, lambda: self._socket.send(data, flags))

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """See socket.socket."""
        self._noting(data, lambda: self._socket.sendall(data, flags))

    def sendto(self, data: Any, *rest: Any) -> int:
        """See socket.socket."""
        return self._noting(data, lambda: self._socket.sendto(data, *rest))

    def sendmsg(self, buffers: Any, ancdata: Any = (), *rest: Any) -> int:
        """See socket.socket."""
        buffers, ancdata = list(buffers), list(ancdata)
        note_descriptors(self.recorded_as, "gave", ancdata)
        data = b"".join(bytes(memoryview(each).cast("B")) for each in buffers)
        return self._noting(data, lambda: self._socket.sendmsg(buffers, ancdata, *rest))

    def mark_exchange(self, number: int | None = None) -> None:  # one signature for all
        """Do nothing: a datagram is one exchange."""

    def _noting(self, data: Any, send: Callable[[], Result]) -> Result:
        """Record a reply before it is sent, so that it is recorded when the client has it."""
        whole = data if type(data) is bytes else bytes(memoryview(data).cast("B"))
        self.recorded_as.note(Kind.DOWN, whole)
        try:
            return send()
        except BaseException:
            self.recorded_as.retract(len(whole))
            raise
