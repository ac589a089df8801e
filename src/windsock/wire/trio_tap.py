"""A recording tap on a trio stream: the stream itself, which notes what passes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.wire.tap import note_failure

if TYPE_CHECKING:
    import trio

__all__ = ["StreamTap"]

BLOCK = 256 * 1024
"""Bytes that one call sends at the most, so that what is noted and does not go out is little."""


class StreamTap:
    """Notes what one stream receives and sends, and how it ends.

    A SocketStream's class is final, so methods are replaced on the instance: those of its trio socket, through
    which all of the stream's own go. What goes past it (`os.read` on its descriptor, a duplicate) is not noted.
    """

    def __init__(self, stream: trio.SocketStream, connection: Connection) -> None:
        self._socket: Any = stream.socket
        self._connection = connection
        self._recv = self._socket.recv
        self._send = self._socket.send
        self._shutdown = self._socket.shutdown
        self._close = self._socket.close

    def install(self) -> None:
        """Put these methods in the place of the socket's own."""
        for name in NAMES:
            setattr(self._socket, name, getattr(self, name))

    def uninstall(self) -> None:
        """Give the socket its own methods back; without the cycle nothing waits for the collector."""
        for name in NAMES:
            delattr(self._socket, name)

    async def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """See socket.socket."""
        try:
            data: bytes = await self._recv(bufsize, flags)
        except OSError as error:
            note_failure(self._connection, error)
            raise
        if data:
            if not flags & socket.MSG_PEEK:
                self._connection.note(Kind.UP, data)
        elif bufsize:
            self._connection.note(Kind.CLIENT_EOF)
        return data

    async def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """See socket.socket."""
        with memoryview(buffer) as view, view.cast("B") as target:
            data = await self.recv(min(nbytes or len(target), len(target)), flags)
            target[: len(data)] = data
        return len(data)

    async def send(self, data: Any, flags: int = 0, /) -> int:
        """See socket.socket. Noted before it is sent, so that it is there when the client has it."""
        whole = data if type(data) is bytes and len(data) <= BLOCK else bytes(memoryview(data).cast("B")[:BLOCK])
        self._connection.note(Kind.DOWN, whole)
        size = 0
        try:
            size = await self._send(whole, flags)
        except OSError as error:
            note_failure(self._connection, error)
            raise
        finally:
            if size < len(whole):
                self._connection.retract(len(whole) - size)
        return size

    def shutdown(self, how: int) -> None:
        """See socket.socket."""
        if how != socket.SHUT_RD and self._socket.fileno() >= 0:
            self._connection.note(Kind.HALF_CLOSE)
        self._shutdown(how)

    def close(self) -> None:
        """See socket.socket."""
        if self._socket.fileno() >= 0:
            self._connection.note(Kind.CLOSE)
        self._close()


NAMES = ("recv", "recv_into", "send", "shutdown", "close")
