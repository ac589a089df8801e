"""What a peer has received and not yet expected, and the last things that both ends did. No I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

__all__ = ["Deed", "Inbox"]

REMEMBERED = 8
"""How many of the last things are kept for error messages."""
EXCERPT = 24
"""Bytes of each that are kept."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that one end did: `at` in monotonic seconds, `size` and the first bytes of `data`, if any."""

    at: float
    what: str
    size: int = 0
    data: bytes = b""


class Inbox:
    """What has come through one socket, in order, until it is expected.

    Of a stream `unread` is a run of bytes; of datagrams it is the first one, and `datagrams` holds all.
    `taken` counts the bytes that have been expected before.
    """

    __slots__ = ("_deeds", "datagrams", "has_eof", "is_datagram", "sent", "taken", "unread", "was_reset")

    def __init__(self, *, is_datagram: bool = False) -> None:
        self.is_datagram = is_datagram
        self.unread = bytearray()
        self.datagrams: deque[bytes] = deque()
        self.taken = 0
        self.sent = 0
        self.has_eof = False
        self.was_reset = False
        self._deeds: deque[tuple[float, str, bytes]] = deque(maxlen=REMEMBERED)

    def __bool__(self) -> bool:
        """Return whether there is something to look at; an empty datagram is something."""
        return bool(self.datagrams) if self.is_datagram else bool(self.unread)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more can come."""
        return self.has_eof or self.was_reset

    # --- what happens

    def receive(self, data: bytes, now: float) -> None:
        """Take in what has come: some bytes of a stream, or one datagram."""
        if self.is_datagram:
            self.datagrams.append(data)
            self.unread = bytearray(self.datagrams[0])
        else:
            self.unread += data
        self._deeds.append((now, "received", data))

    def receive_eof(self, now: float) -> None:
        """The other end will send no more."""
        if not self.has_ended:
            self.has_eof = True
            self._deeds.append((now, "received the end (EOF)", b""))

    def receive_reset(self, now: float, how: str = "was reset") -> None:
        """The connection is gone."""
        if not self.was_reset:
            self.was_reset = True
            self._deeds.append((now, how, b""))

    def note_sent(self, data: bytes, now: float) -> None:
        """This end has sent bytes."""
        self.sent += len(data)
        self._deeds.append((now, "sent", data))

    def note(self, what: str, now: float) -> None:
        """This end did something else."""
        self._deeds.append((now, what, b""))

    # --- what is expected

    def take(self, size: int) -> bytes:
        """Take so many bytes of the stream, or the first datagram."""
        if self.is_datagram:
            data = self.datagrams.popleft()
            self.unread = bytearray(self.datagrams[0]) if self.datagrams else bytearray()
        else:
            data = bytes(self.unread[:size])
            del self.unread[:size]
        self.taken += len(data)
        return data

    def discard(self) -> None:
        """Take all there is."""
        while self:
            self.take(len(self.unread))

    @property
    def deeds(self) -> list[Deed]:
        """The last things that both ends did, oldest first."""
        return [Deed(at, what, len(data), bytes(data[:EXCERPT])) for at, what, data in self._deeds]
