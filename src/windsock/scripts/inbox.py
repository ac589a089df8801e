"""The bytes that a peer received and has not yet expected, and the latest actions of both ends. No I/O."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

__all__ = ["HistoryEntry", "Inbox"]

REMEMBERED = 8
"""How many of the last things are kept for error messages."""
EXCERPT = 24
"""Bytes of each that are kept."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Something that one end did: `at` in monotonic seconds, `size` and the first bytes of `data`, if any."""

    at: float
    what: str
    size: int = 0
    data: bytes = b""


class Inbox:
    """The bytes received through one socket, in order, until they are expected.

    Of a stream `unread` is a run of bytes; of datagrams it is the first one, and `datagrams` holds all.
    `taken` counts the bytes that have been expected before, `takes` how often something was. `came_at` is when the
    first of what there is came, if there is anything, in monotonic seconds.
    """

    __slots__ = (
        "_deeds",
        "came_at",
        "datagrams",
        "has_eof",
        "how",
        "is_datagram",
        "is_sealed",
        "sent",
        "taken",
        "takes",
        "unread",
        "was_reset",
    )

    def __init__(self, *, is_datagram: bool = False) -> None:
        self.is_datagram = is_datagram
        self.unread = bytearray()
        self.datagrams: deque[bytes] = deque()
        self.taken = 0
        self.takes = 0
        self.sent = 0
        self.has_eof = False
        self.was_reset = False
        self.how = ""
        """What is said of a reset."""
        self.is_sealed = False
        """Whether not even a reset can come after the end: a Unix socket's other end is gone."""
        self.came_at = -math.inf
        self._deeds: deque[tuple[float, str, int, bytes]] = deque(maxlen=REMEMBERED)

    def __bool__(self) -> bool:
        """Return whether there is something to look at; an empty datagram is something."""
        return bool(self.datagrams) if self.is_datagram else bool(self.unread)

    @property
    def has_ended(self) -> bool:
        """True if nothing more can arrive."""
        return self.has_eof or self.was_reset

    # --- what happens

    def receive(self, data: bytes, now: float) -> None:
        """Take in what has come: some bytes of a stream, or one datagram."""
        if not self:
            self.came_at = now
            self.unread += data
        elif not self.is_datagram:
            self.unread += data
        if self.is_datagram:
            self.datagrams.append(data)
        self._deeds.append((now, "received", len(data), data[:EXCERPT]))

    def receive_eof(self, now: float) -> None:
        """The other end will send no more."""
        if not self.has_ended:
            self.has_eof = True
            self._ended("received the end (EOF)", now)

    def receive_reset(self, now: float, how: str = "was reset") -> None:
        """The connection is gone."""
        if not self.was_reset:
            self.was_reset = True
            self.how = how
            self._ended(how, now)

    def end_tls(self, unread: bytes, now: float) -> None:
        """TLS has ended: an end that has come is that of TLS alone. `unread` has come with it."""
        self.has_eof = False
        self.note("speaks in the clear from here", now)
        if unread:
            self.receive(unread, now)

    def note_sent(self, data: bytes, now: float) -> None:
        """This end has sent bytes."""
        self.sent += len(data)
        self._deeds.append((now, "sent", len(data), data[:EXCERPT]))

    def note(self, what: str, now: float) -> None:
        """This end did something else."""
        self._deeds.append((now, what, 0, b""))

    def _ended(self, how: str, now: float) -> None:
        if not self:
            self.came_at = now
        self._deeds.append((now, how, 0, b""))

    # --- what is expected

    def take(self, size: int) -> bytes:
        """Take `size` bytes of the stream, or the first datagram."""
        unread = self.unread
        if self.is_datagram:
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
        return data

    def discard(self) -> None:
        """Take all there is."""
        while self:
            self.take(len(self.unread))

    @property
    def deeds(self) -> list[HistoryEntry]:
        """The last things that both ends did, oldest first."""
        return [HistoryEntry(at, what, size, bytes(data)) for at, what, size, data in self._deeds]
