"""The bytes that a peer received and has not yet expected, and the latest actions of both ends. No I/O."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from windsock.scripts.conversation import Conversation

__all__ = ["HistoryEntry", "Inbox"]

REMEMBERED = 8
"""The number of latest actions that are kept for error messages."""
EXCERPT = 24
"""The number of bytes of each that are kept."""
TAIL = 4096
"""The number of latest bytes of each direction that are kept, to see what is secret in what follows."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """An action of one end: `at` in monotonic seconds, `size` and the first bytes of `data`, if any.

    `end`: the bytes that this end had sent, or received, by then.
    """

    at: float
    what: str
    size: int = 0
    data: bytes = b""
    end: int = field(default=0, compare=False, repr=False)


class Inbox:
    """The bytes received through one socket, in order, until they are taken.

    On a stream, `unread` is a run of bytes. With datagrams or records (`has_units`) it is the first one, and
    `datagrams` holds all. `received`
    counts the bytes that came, `taken` those that were taken, and `takes` the calls that took some. `came_at` is when
    the first unread item came, in monotonic seconds. `conversation` is what functions of the script are given.
    """

    __slots__ = (
        "_deeds",
        "_received_tail",
        "_sent_tail",
        "came_at",
        "conversation",
        "datagrams",
        "has_eof",
        "has_units",
        "how",
        "is_datagram",
        "is_record",
        "is_sealed",
        "marks",
        "received",
        "sent",
        "taken",
        "takes",
        "unread",
        "was_reset",
    )

    def __init__(self, *, is_datagram: bool = False, is_record: bool = False) -> None:
        self.is_datagram: bool = is_datagram
        self.is_record: bool = is_record
        self.has_units: bool = is_datagram or is_record
        self.conversation: Conversation = Conversation()
        self.unread: bytearray = bytearray()
        self.datagrams: deque[bytes] = deque()
        self.taken: int = 0
        self.takes: int = 0
        self.received: int = 0
        self.sent: int = 0
        self.has_eof: bool = False
        self.was_reset: bool = False
        self.how: str = ""
        """The description of a reset."""
        self.is_sealed: bool = False
        """Whether not even a reset can come after the end, as with a Unix socket whose other end is gone."""
        self.marks: tuple[int, ...] = ()
        """The offsets of urgent bytes in the stream, where they are asked for."""
        self.came_at: float = -math.inf
        self._deeds: deque[tuple[float, str, int, bytes, int]] = deque(maxlen=REMEMBERED)
        self._received_tail = bytearray()
        self._sent_tail = bytearray()

    def __bool__(self) -> bool:
        """Return whether anything is unread; an empty datagram counts."""
        return bool(self.datagrams) if self.has_units else bool(self.unread)

    @property
    def unit(self) -> str:
        """The word for what keeps its boundaries: "datagram" or "record"."""
        return "record" if self.is_record else "datagram"

    @property
    def has_ended(self) -> bool:
        """True if nothing more can arrive."""
        return self.has_eof or self.was_reset

    # --- events

    def receive(self, data: bytes, now: float) -> None:
        """Add received data: some bytes of a stream, or one datagram or record."""
        if not self:
            self.came_at = now
            self.unread += data
        elif not self.has_units:
            self.unread += data
        if self.has_units:
            self.datagrams.append(data)
        self.received += len(data)
        _keep_end(self._received_tail, data)
        self._deeds.append((now, "received", len(data), data[:EXCERPT], self.received))

    def receive_urgent(self, data: bytes, now: float) -> None:
        """Add an urgent byte of a stream."""
        self.marks = (*(each for each in self.marks if each >= self.taken), self.taken + len(self.unread))
        self.receive(data, now)

    def receive_eof(self, now: float) -> None:
        """Note that the other end will send no more."""
        if not self.has_ended:
            self.has_eof = True
            self._ended("received the end (EOF)", now)

    def receive_reset(self, now: float, how: str = "was reset") -> None:
        """Note that the connection was reset."""
        if not self.was_reset:
            self.was_reset = True
            self.how = how
            self._ended(how, now)

    def end_tls(self, unread: bytes, now: float) -> None:
        """Note that TLS has ended: an end received before was only that of TLS. `unread` came with it."""
        self.has_eof = False
        self.note("continues unencrypted from here", now)
        if unread:
            self.receive(unread, now)

    def note_sent(self, data: bytes, now: float) -> None:
        """Note bytes that this end has sent."""
        self.sent += len(data)
        _keep_end(self._sent_tail, data)
        self._deeds.append((now, "sent", len(data), data[:EXCERPT], self.sent))

    def note(self, what: str, now: float) -> None:
        """Note another action of this end."""
        self._deeds.append((now, what, 0, b"", 0))

    def _ended(self, how: str, now: float) -> None:
        if not self:
            self.came_at = now
        self._deeds.append((now, how, 0, b"", 0))

    # --- taking

    def take(self, size: int) -> bytes:
        """Take `size` bytes of the stream, or the first datagram or record."""
        unread = self.unread
        if self.has_units:
            data = self.datagrams.popleft()
            unread[:] = self.datagrams[0] if self.datagrams else b""
        elif size >= len(unread):
            data = bytes(unread)
            unread.clear()
        else:
            with memoryview(unread) as view:
                data = bytes(view[:size])
            del unread[:size]
        self.taken += len(data)
        self.takes += 1
        self.conversation.message = data
        return data

    def discard(self) -> None:
        """Take everything that is unread."""
        while self:
            self.take(len(self.unread))

    @property
    def deeds(self) -> list[HistoryEntry]:
        """The latest actions of both ends, oldest first."""
        return [HistoryEntry(at, what, size, bytes(data), end) for at, what, size, data, end in self._deeds]

    @property
    def latest(self) -> tuple[bytes, bytes]:
        """The latest bytes of the stream that came, taken or not, and the latest that were sent."""
        return bytes(self._received_tail), bytes(self._sent_tail)


def _keep_end(tail: bytearray, data: bytes) -> None:
    tail += data[-TAIL:]
    if len(tail) > 2 * TAIL:
        del tail[:-TAIL]
