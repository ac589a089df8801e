"""The memory that all relays of an event loop receive into."""

from __future__ import annotations

from windsock.recording.store.buffer_pool import POOL, SEGMENT, Buffer

__all__ = ["Scratch"]

BLOCK = SEGMENT
"""The number of bytes read at a time; one buffer serves all connections of an event loop."""

LITTLE = 4096
"""The number of bytes read at a time once everything is over."""
MOST_SPARE = 2
"""The number of memory blocks that are kept for reuse."""


class Scratch:
    """The memory that all relays of an event loop receive into, one after the other.

    A relay that cannot pass on its data can `keep` the memory until it can; the others use another block meanwhile.
    The first block is a reused one: fresh memory costs as much as relaying its content.
    """

    __slots__ = ("_segment", "_spare", "memory")

    def __init__(self) -> None:
        self._segment: Buffer | None = POOL.take()
        self.memory: memoryview = self._segment.memory
        self._spare: list[memoryview] = []

    def keep(self) -> memoryview:
        """Return the memory in use, which the caller owns from now on."""
        kept = self.memory
        self.memory = self._spare.pop() if self._spare else memoryview(bytearray(BLOCK))
        return kept

    def give_back(self, kept: memoryview) -> None:
        """Take kept memory back and use it next, since it is in the core's cache."""
        if len(self._spare) < MOST_SPARE:
            self._spare.append(self.memory)
        self.memory = kept

    def close(self) -> None:
        """Release all memory for others to use: no relay uses it any more."""
        self._spare.clear()
        self.memory = memoryview(bytearray(LITTLE))
        self._segment = None
