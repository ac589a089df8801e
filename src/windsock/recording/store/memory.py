"""The memory that a recording may use."""

from __future__ import annotations

from collections.abc import Iterable

from windsock.errors import RecordingFailed
from windsock.recording.store.log import Log
from windsock.recording.store.spill_file import SpillFile

__all__ = ["MEMORY", "Memory"]

MEMORY = 32 * 1024 * 1024
"""Bytes of traffic that one server's recording keeps in memory; more goes to a file..."""
MEMORY_AFTERWARDS = MEMORY // 2
"""...until at most this many are left: a few large writes are faster than many small ones."""


class Memory:
    """The bytes in memory of a recording's connections; the caller holds the recorder's lock."""

    def __init__(self) -> None:
        self._size = 0
        self._spill_file: SpillFile | None = None
        self.can_spill: bool = True
        """Whether events may go to a file."""

    def hold(self, connection: Log, size: int, connections: Iterable[Log]) -> None:
        """Add to the memory that a connection uses; if the total is too much, move the oldest events to a file."""
        connection.held_in_memory += size
        self._size += size
        if self._size > MEMORY and self.can_spill:
            self._spill(connections)

    def release(self, connection: Log) -> None:
        """Count what a connection uses no longer."""
        self._size -= connection.held_in_memory
        connection.held_in_memory = 0

    def _spill(self, connections: Iterable[Log]) -> None:
        """Move the oldest events to a file; without a file, or if it is full, they stay in memory."""
        try:
            if self._spill_file is None:
                self._spill_file = SpillFile()
            for each in connections:
                if self._size <= MEMORY_AFTERWARDS:
                    return
                if each.held_in_memory:
                    each.spill(self._spill_file)
                    self.release(each)
        except (RecordingFailed, OSError):
            self.can_spill = False
