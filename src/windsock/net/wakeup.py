"""A descriptor that becomes readable on a call: the alternative to polling."""

from __future__ import annotations

from windsock.net import virtual
from windsock.net.system import os

__all__ = ["Wakeup"]


class Wakeup:
    """An eventfd(2), or a pipe if there is none. Works across threads and from forked children.

    The descriptors are closed with the last reference, too. Those of a simulated world go with it: other files have
    their numbers in the next one.
    """

    __slots__ = ("_reader", "_world", "_writer")

    def __init__(self) -> None:
        self._world = virtual.number()
        self._reader = self._writer = -1
        if hasattr(os, "eventfd"):
            self._reader = self._writer = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        else:
            self._reader, self._writer = os.pipe()
            os.set_blocking(self._reader, False)
            os.set_blocking(self._writer, False)

    def __del__(self) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the descriptor to wait on; -1 after `close()`."""
        return self._reader

    def call(self) -> None:
        """Make the descriptor readable. Never blocks; safe in a signal handler."""
        try:
            os.write(self._writer, b"\1\0\0\0\0\0\0\0")
        except BlockingIOError:
            pass

    def clear(self) -> bool:
        """Make the descriptor unreadable until the next call; return whether it was readable."""
        try:
            os.read(self._reader, 4096)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Close the descriptors. Idempotent."""
        reader, writer = self._reader, self._writer
        self._reader = self._writer = -1
        if self._world not in (0, virtual.number()):
            return
        if reader >= 0:
            os.close(reader)
        if writer not in (reader, -1):
            os.close(writer)
