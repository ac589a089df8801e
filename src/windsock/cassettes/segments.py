"""One direction of a TCP connection, put together from segments that were lost, repeated or out of order. No I/O."""

from __future__ import annotations

import heapq

__all__ = ["StreamHalf"]

NUMBERS = 1 << 32
"""Sequence numbers start again after this many (RFC 9293, section 3.4)."""


class StreamHalf:
    """The bytes of one direction, from the sequence number of its SYN on."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.position: int = 0
        """The bytes that are in order so far."""
        self._waiting: list[tuple[int, bytes]] = []
        self._end: int | None = None

    def add(self, sequence: int, data: bytes, *, is_end: bool) -> bytes:
        """Return the bytes that are in order now, with those that have waited. `is_end`: the segment has a FIN."""
        start = self._place(sequence)
        if is_end:
            self._end = start + len(data)
        if data:
            heapq.heappush(self._waiting, (start, data))
        parts = []
        while self._waiting and self._waiting[0][0] <= self.position:
            begin, piece = heapq.heappop(self._waiting)
            new = piece[self.position - begin :]
            parts.append(new)
            self.position += len(new)
        return b"".join(parts)

    @property
    def has_ended(self) -> bool:
        """Return whether all bytes up to the end have come."""
        return self._end is not None and self.position >= self._end

    @property
    def has_gap(self) -> bool:
        """Return whether bytes are missing in front of others, or of the end."""
        return bool(self._waiting) or (self._end is not None and not self.has_ended)

    def _place(self, sequence: int) -> int:
        """Return the place in the stream that a sequence number stands for: the one closest to where it is now."""
        here = (self.sequence + 1 + self.position) % NUMBERS
        return self.position + (sequence - here + NUMBERS // 2) % NUMBERS - NUMBERS // 2
