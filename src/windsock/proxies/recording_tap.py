"""The recording of a proxy: what each end has sent, before faults touch it."""

from __future__ import annotations

from windsock.net.system import os
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.recording.store.buffer_pool import Buffer
from windsock.recording.store.spill_file import PIECE
from windsock.security.alerts import alert_of

__all__ = ["ClientNotes", "UpstreamNotes", "reason"]


def reason(error: OSError) -> str:
    """Return an error in a few words."""
    alert = alert_of(error)
    if alert is not None:
        return f"TLS alert: {alert}"
    return os.strerror(error.errno) if error.errno else str(error)


class _RecordingNotes:
    kind: int
    mark: int

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._note = connection.note
        self._loan: tuple[Buffer, int] | None = None
        self._own: memoryview | None = None

    def passed(self, data: memoryview) -> None:
        """Note a copy of the data: its memory is used again, and a recording keeps the object that it is given."""
        self._note(self.kind, bytes(data))

    def marked(self) -> None:
        """Note that the byte noted next is urgent."""
        self._note(self.mark)

    def lend(self) -> memoryview:
        """Return memory that belongs to the recording, to receive much at once without a copy; see `kept`.

        A forked child reports to its parent, and has memory of its own.
        """
        if self._connection.is_in_child:
            self._own = self._own or memoryview(bytearray(PIECE))
            return self._own
        segment, at, memory = self._connection.lend()
        self._loan = segment, at
        return memory

    def kept(self, size: int) -> None:
        """Note `size` bytes in the memory that was lent."""
        if self._own is not None:
            self.passed(self._own[:size])
            return
        assert self._loan is not None
        self._connection.note_lent(self.kind, *self._loan, size)  # the loan keeps the memory alive while it is sent


class ClientNotes(_RecordingNotes):
    """Records the client's data and ends."""

    kind = Kind.UP
    mark = Kind.URGENT_UP

    def ended(self, *, is_truncated: bool) -> None:
        """It has sent the end of its stream, perhaps without the end of TLS."""
        self._note(Kind.CLIENT_EOF, b"truncated" if is_truncated else b"")

    def vanished(self, error: OSError) -> None:
        """It has reset the connection, or has ended TLS with an alert."""
        alert = alert_of(error)
        if alert is not None:
            self._note(Kind.TLS_ALERT, alert.encode())
        else:
            self._note(Kind.CLIENT_RESET)


class UpstreamNotes(_RecordingNotes):
    """Records the server's data and ends."""

    kind = Kind.DOWN
    mark = Kind.URGENT_DOWN

    def ended(self, *, is_truncated: bool) -> None:  # noqa: ARG002  # what both are told
        """It has sent the end of its stream."""
        self._note(Kind.HALF_CLOSE)

    def vanished(self, error: OSError) -> None:
        """It has reset the connection, or does not answer any more."""
        self._note(Kind.SERVER_RESET, reason(error).encode())
