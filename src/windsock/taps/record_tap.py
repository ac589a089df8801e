"""The recording tap of a connection that keeps records: one event a record."""

from __future__ import annotations

from typing import Any

from windsock.net.records import TRUNCATED
from windsock.recording.events import Kind
from windsock.taps.stream_tap import PEEK, Tap, scatter

__all__ = ["RecordTap"]


class RecordTap(Tap):
    """Records each record as one event, and notes those that were longer than the buffer of the call."""

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """See socket.socket."""
        return self.recvmsg(bufsize, 0, flags)[0] if bufsize else b""

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """See socket.socket."""
        with memoryview(buffer) as view, view.cast("B") as target:
            data = self.recv(nbytes or len(target), flags)
            scatter(data, [target])
        return len(data)

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> tuple[bytes, list[Any], int, Any]:
        """See socket.socket."""
        result = super().recvmsg(bufsize, ancbufsize, flags)
        if result[2] & TRUNCATED and not flags & PEEK:
            self._connection.note(Kind.NOTE, b"this record was cut to %d B: the rest is lost" % len(result[0]))
        return result

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """See socket.socket. The kernel sends a record whole or not at all."""
        self.send(data, flags)
