"""Memory for large chunks that is used again and again: to have it fresh from the system costs more than the traffic.

A fresh page has to be found and cleared first, which takes about as long as it takes to echo what goes into it.
Huge pages (madvise(2), MADV_HUGEPAGE) make the first time cheaper, too, where the system has them.
"""

from __future__ import annotations

import mmap
from collections import deque
from contextlib import suppress
from typing import NamedTuple

from windsock.recording.store.spill_file import Event
from windsock.servers.fork_hooks import renew_in_children

__all__ = ["POOLED", "SEGMENT", "Buffer", "BufferPool", "BufferedEvent", "ConnectionBuffers"]

SEGMENT = 512 * 1024
"""Bytes of memory that are handed out at a time."""
MAPPING = 4 * 1024 * 1024
"""Bytes that are asked of the system at a time: a huge page or two."""
LEAST_LENT = 64 * 1024
"""Bytes that are lent at the least."""
POOLED = 64
"""Segments out of use that are kept for the next one; more go back to the system, mapping by mapping."""


class Buffer:
    """A stretch of memory that returns to its pool by itself, with the last reference to it."""

    __slots__ = ("_free", "memory")

    def __init__(self, free: deque[memoryview], memory: memoryview) -> None:
        self._free = free
        self.memory = memory

    def __del__(self) -> None:
        self._free.append(self.memory)


class BufferPool:
    """Segments out of use. Without a lock, since a segment may return at any time, in any thread."""

    def __init__(self) -> None:
        self._free: deque[memoryview] = deque(maxlen=POOLED)
        renew_in_children(self)

    def __len__(self) -> int:
        return len(self._free)

    def take(self) -> Buffer:
        """Return an unused buffer; its contents are undefined."""
        free = self._free
        try:
            memory = free.pop()
        except IndexError:
            memory, *more = fresh()
            free.extendleft(more)
        return Buffer(free, memory)

    def after_fork_in_child(self) -> None:
        """Begin anew: to write to a page that the parent has as well, costs a copy of it."""
        self._free = deque(maxlen=POOLED)


def fresh() -> list[memoryview]:
    """Return the segments of a new mapping, which lives as long as one of them."""
    mapping = mmap.mmap(-1, MAPPING, flags=mmap.MAP_PRIVATE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without them
            mapping.madvise(mmap.MADV_HUGEPAGE)
    whole = memoryview(mapping)
    return [whole[at : at + SEGMENT] for at in range(0, MAPPING, SEGMENT)]


POOL = BufferPool()
"""The process's own."""


class BufferedEvent(NamedTuple):
    """An event whose data lies in a segment."""

    time: float
    kind: int
    segment: Buffer
    at: int
    size: int

    @property
    def view(self) -> memoryview:
        """The data where it lies: for as long as the segment is held."""
        return self.segment.memory[self.at : self.at + self.size]

    @property
    def data(self) -> bytes:
        """A copy of the data."""
        return bytes(self.view)

    def event(self) -> Event:
        """Return the event with a copy of its data."""
        return Event(self.time, self.kind, self.data)


class ConnectionBuffers:
    """The large chunks of one connection, one behind the other, buffer by buffer. From any thread.

    A writer takes its buffer out of the list meanwhile, so that no lock is needed: a second
    thread that comes at the same time begins a segment of its own.
    """

    __slots__ = ("_open", "_pool")

    def __init__(self, pool: BufferPool = POOL) -> None:
        self._pool = pool
        self._open: list[tuple[Buffer, int]] = []

    def keep(self, time: float, kind: int, data: bytes | memoryview) -> BufferedEvent:
        """Copy the data, at most as large as a buffer; return the event."""
        size = len(data)
        try:
            segment, at = self._open.pop()
        except IndexError:
            segment, at = self._pool.take(), 0
        end = at + size
        if end > SEGMENT:
            segment, at, end = self._pool.take(), 0, size
        segment.memory[at:end] = data
        self._open.append((segment, end))
        return BufferedEvent(time, kind, segment, at, size)

    def lend(self) -> tuple[Buffer, int]:
        """Return a segment and where its free part starts, for somebody to read into; see `take_back`."""
        try:
            segment, at = self._open.pop()
        except IndexError:
            return self._pool.take(), 0
        return (segment, at) if at <= SEGMENT - LEAST_LENT else (self._pool.take(), 0)

    def take_back(self, segment: Buffer, end: int) -> None:
        """Take a lent segment back, which is full up to there now. One that is not returned is not used again."""
        self._open.append((segment, end))

    def leave(self) -> None:
        """Begin the next chunk in another segment, so that the present one can return to the pool."""
        self._open.clear()
