"""What an event loop watches while a task waits for a recording: descriptors, with no thread behind them."""

from __future__ import annotations

from windsock.net.system import os
from windsock.net.wakeup import Wakeup

__all__ = ["Listener"]


class Listener:
    """Descriptors that become readable when a recording has news: one of its own, and the one that children write to.

    The second is a duplicate, since a loop knows a descriptor by its number, and may watch one for each of its tasks.
    """

    def __init__(self) -> None:
        self._own = Wakeup()
        self._of_children = -1

    @property
    def descriptors(self) -> list[int]:
        """The descriptors to watch."""
        return [each for each in (self._own.fileno(), self._of_children) if each >= 0]

    def call(self) -> None:
        """Make one of them readable. From any thread."""
        self._own.call()

    def clear(self) -> None:
        """Make its own unreadable until the next call."""
        self._own.clear()

    def watch(self, of_children: Wakeup | None) -> None:
        """Watch what forked children write to as well, once there is such a descriptor."""
        if of_children is not None and self._of_children < 0:
            self._of_children = os.dup(of_children.fileno())

    def close(self) -> None:
        """Close the descriptors."""
        self._own.close()
        if self._of_children >= 0:
            os.close(self._of_children)
            self._of_children = -1
