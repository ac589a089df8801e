"""The channel from forked children to their parent: events in a file, a wake-up, and a flag for lost events."""

from __future__ import annotations

import errno
import mmap

from windsock.errors import RecordingFailed
from windsock.net.files import directory
from windsock.net.system import os
from windsock.net.wakeup import Wakeup
from windsock.recording.store.spill_file import Event, SpillFile, pieces

__all__ = ["ROOM", "Channel"]

ROOM = 65 * 1024
"""Bytes of shared memory beside the flag: more costs nothing until it is used, a mapping of its own would."""


class Channel:
    """The parent creates it before it forks. `problem` says why `spool` or `wakeup` could not be created and is None.

    Lost events are flagged in shared memory, which needs neither a descriptor nor disk space.
    """

    def __init__(self) -> None:
        self.spill_file: SpillFile | None = None
        self.wakeup: Wakeup | None = None
        self.problem: RecordingFailed | None = None
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
