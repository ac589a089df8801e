"""A client of a proxy on its way in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from windsock.net import sockets
from windsock.net.callbacks import nothing
from windsock.net.system import socket
from windsock.recording import Connection
from windsock.recording.events import Kind

__all__ = ["PendingConnection"]


class PendingConnection:
    """A client on its way in."""

    __slots__ = ("_on_gone", "connection", "faults", "index", "peer", "socket")

    def __init__(
        self,
        client: socket.socket,
        peer: Any,
        index: int,
        connection: Connection | None,
        on_gone: Callable[[PendingConnection], object],
    ) -> None:
        self.socket: socket.socket = client
        self.peer: Any = peer
        self.index: int = index
        self.connection: Connection | None = connection
        self._on_gone = on_gone
        self.faults: list[str] = []
        """What faults do to it, and is noted when it has been done."""

    def say(self, words: str) -> None:
        """Note what came besides the bytes, or cannot be passed on."""
        self.note(Kind.NOTE, words.encode())

    def note(self, kind: int, data: bytes = b"") -> None:
        """Write down what happens to it."""
        if self.connection is not None:
            self.connection.note(kind, data)

    def note_faults(self, words: list[str]) -> None:
        """Write down what faults have done to it."""
        for each in words:
            self.note(Kind.FAULT, each.encode())

    def begin(self, kind: int) -> None:
        """See Connection."""
        if self.connection is not None:
            self.connection.begin(kind)

    def noted_after(self, kind: int) -> contextlib.AbstractContextManager[None]:
        """See Connection."""
        return contextlib.nullcontext() if self.connection is None else self.connection.noted_after(kind)

    def note_refusal(self, why: str) -> None:
        """Write down why it was turned away."""
        self.note(Kind.REFUSED, why.encode())

    def turn_away(self, why: str, *, is_reset: bool) -> None:
        """End the connection: with a reset, so that the client does not take its data for received; or with a close."""
        if why:
            self.note_refusal(why)
        self.end(sockets.reset if is_reset else sockets.close)

    def end(self, end: Callable[[socket.socket], object]) -> None:
        """End a client's connection that is not relayed."""
        self.begin(Kind.CLOSE)
        end(self.socket)
        self.note_faults(self.faults)
        self.leave()

    def leave(self) -> None:
        """Make room for another client: this one has gone."""
        on_gone, self._on_gone = self._on_gone, nothing  # avoids reference cycles
        on_gone(self)
        if self.connection is not None:
            self.connection.set_relayed(False)
        self.note(Kind.CLOSE)
