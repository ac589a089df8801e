"""The channel from forked children to their parent: events in a file, a wake-up, and a flag for lost events."""

from __future__ import annotations

import errno
import mmap
from collections.abc import Callable

from windsock.errors import RecordingFailed
from windsock.net.files import directory
from windsock.net.system import os
from windsock.net.wakeup import Wakeup
from windsock.recording.events import Kind
from windsock.recording.store.log import OVERHEAD, Log
from windsock.recording.store.spill_file import FOOTER_SIZE, HEADER_SIZE, Event, SpilledEvents, SpillFile, pieces

__all__ = ["ROOM", "Channel"]

ROOM = 65 * 1024
"""Bytes of shared memory beside the flag: more costs nothing until it is used, a mapping of its own would."""

RUN = 64 * 1024
"""The size in bytes from which on a run of one child's events stays on disk."""
LONGEST_RUN = 1024 * 1024
"""The most bytes that are read at once, so that a long recording needs little memory."""


class Channel:
    """The parent creates it before it forks. `problem` says why `spool` or `wakeup` could not be created and is None.

    Lost events are flagged in shared memory, which needs neither a descriptor nor disk space.
    """

    def __init__(self) -> None:
        self.spill_file: SpillFile | None = None
        self.wakeup: Wakeup | None = None
        self.problem: RecordingFailed | None = None
        self._read_up_to = 0
        self._lost = mmap.mmap(-1, mmap.PAGESIZE + ROOM)
        try:
            self.spill_file = SpillFile()
            self.wakeup = Wakeup()
        except RecordingFailed as error:
            self.problem = error
        except OSError as error:
            self.problem = _failed(error)

    def tell(self, index: int, event: Event) -> None:
        """Write an event of a connection to the file that the parent reads. From a child."""
        try:
            if self.spill_file is None or self.wakeup is None:
                self._lost[0] = errno.EBADF
                return
            for piece in pieces(event):
                self.spill_file.append(index, piece)
            self.wakeup.call()
        except OSError as error:
            self._lost[0] = error.errno or errno.EIO

    def read(self, connection_of: Callable[[int], Log | None]) -> None:
        """Add what children have written since to their connections; `connection_of` finds one by its number."""
        spill_file = self.spill_file
        if spill_file is None or self._read_up_to + HEADER_SIZE > spill_file.size():
            return
        runs = _Runs(spill_file)
        for number, time, kind, at, size in spill_file.scan(self._read_up_to, spill_file.size()):
            connection = connection_of(number)
            if connection is not None:
                runs.add(connection, Event(time, kind, b""), at, size)
            self._read_up_to = at + size + FOOTER_SIZE
        runs.end()

    def room(self) -> memoryview:
        """Return ROOM bytes of memory that children share with their parent, for what it tells them; zeros at first."""
        return memoryview(self._lost)[mmap.PAGESIZE :]

    def loss(self) -> RecordingFailed | None:
        """Return why events of children were not recorded; None if all were."""
        number = self._lost[0]
        if not number:
            return None
        return self.problem or _failed(OSError(number, os.strerror(number)))


def _failed(error: OSError) -> RecordingFailed:
    return RecordingFailed("events of forked children cannot be recorded", directory(), error)


class _Runs:
    """Collects children's events into runs of one connection; long runs stay on disk."""

    def __init__(self, spill_file: SpillFile) -> None:
        self._spill_file = spill_file
        self._connection: Log | None = None
        self._found: list[tuple[Event, int, int]] = []
        self._size = 0

    def add(self, connection: Log, event: Event, at: int, size: int) -> None:
        if connection is not self._connection:
            self.end()
            self._connection = connection
        self._found.append((event, at, size))
        self._size += size + OVERHEAD
        if self._size > LONGEST_RUN:
            self.end()

    def end(self) -> None:
        connection, found = self._connection, self._found
        if connection is None or not found:
            return
        if self._size > RUN:
            start, (_, at, size) = found[0][1] - HEADER_SIZE, found[-1]
            up, down = (sum(each[2] for each in found if each[0].kind == kind) for kind in (Kind.UP, Kind.DOWN))
            connection.append(SpilledEvents(self._spill_file, start, at + size + FOOTER_SIZE, len(found), up, down))
        for event, at, size in found:
            is_needed = self._size <= RUN or event.kind > Kind.MARK
            whole = event._replace(data=self._spill_file.data(at, size)) if is_needed else event
            if self._size <= RUN:
                connection.append(whole)
            if event.kind > Kind.MARK:
                connection.apply(whole)
        self._found, self._size = [], 0
