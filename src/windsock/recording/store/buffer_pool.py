"""Memory for large chunks that is reused: fresh memory from the system costs more than the traffic.

A fresh page must be found and cleared, which takes about as long as echoing its content.
Huge pages (madvise(2), MADV_HUGEPAGE), where available, make the first use cheaper too.
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
"""The size of a buffer in bytes."""
MAPPING = 4 * 1024 * 1024
"""The size of a mapping in bytes: a huge page or two."""
LEAST_LENT = 64 * 1024
"""The least bytes that are lent."""
POOLED = 64
"""The unused segments that are kept; more go back to the system, mapping by mapping."""


class Buffer:
    """A piece of memory that returns to its pool with the last reference to it."""

    __slots__ = ("_free", "memory")

    def __init__(self, free: deque[memoryview], memory: memoryview) -> None:
        self._free = free
        self.memory: memoryview = memory

    def __del__(self) -> None:
        self._free.append(self.memory)


class BufferPool:
    """Unused segments. Without a lock, since a segment may return at any time, in any thread."""

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
        """Start empty: writing to a page shared with the parent costs a copy of it."""
        self._free = deque(maxlen=POOLED)


def fresh() -> list[memoryview]:
    """Return the segments of a new mapping, which lives until the last of them is gone."""
    mapping = mmap.mmap(-1, MAPPING, flags=mmap.MAP_PRIVATE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without them
            mapping.madvise(mmap.MADV_HUGEPAGE)
    whole = memoryview(mapping)
    return [whole[at : at + SEGMENT] for at in range(0, MAPPING, SEGMENT)]


POOL = BufferPool()
"""The pool of this process."""


class BufferedEvent(NamedTuple):
    """An event whose data is in a segment."""

    time: float
    kind: int
    segment: Buffer
    at: int
    size: int

    @property
    def view(self) -> memoryview:
        """A view of the data, valid while the segment is referenced."""
        return self.segment.memory[self.at : self.at + self.size]

    @property
    def data(self) -> bytes:
        """A copy of the data."""
        return bytes(self.view)

    def event(self) -> Event:
        """Return the event with a copy of its data."""
        return Event(self.time, self.kind, self.data)


class ConnectionBuffers:
    """The large chunks of one connection, one after the other, buffer by buffer. From any thread.

    A writer takes its buffer out of the list meanwhile, so no lock is needed: a second thread at the same time
    starts a segment of its own.
    """

    __slots__ = ("_open", "_pool")

    def __init__(self, pool: BufferPool = POOL) -> None:
        self._pool = pool
        self._open: list[tuple[Buffer, int]] = []

    def keep(self, time: float, kind: int, data: bytes | memoryview) -> BufferedEvent:
        """Copy the data, which must fit into one buffer; return the event."""
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
        """Return a segment and the offset of its free part, to be filled; see `take_back`."""
        try:
            segment, at = self._open.pop()
        except IndexError:
            return self._pool.take(), 0
        return (segment, at) if at <= SEGMENT - LEAST_LENT else (self._pool.take(), 0)

    def take_back(self, segment: Buffer, end: int) -> None:
        """Return a lent segment that is now filled up to `end`. One that is not returned is not used again."""
        self._open.append((segment, end))

    def leave(self) -> None:
        """Start the next chunk in another segment, so that the present one can return to the pool."""
        self._open.clear()
