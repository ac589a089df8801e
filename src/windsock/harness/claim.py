"""One call of `accept()`: which connection it is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from windsock.fakes.server_endpoint import ready_among
from windsock.net.system import monotonic
from windsock.net.wakeup import Wakeup

if TYPE_CHECKING:
    from windsock.recording import Connection

__all__ = ["Claim", "Which"]

Which: TypeAlias = "int | Callable[[Connection], object] | None"
"""Which connection to accept: its index, a function of it, or the next one."""


class Claim:
    """One call of `accept()`: which connection it is for."""

    def __init__(self, which: Which, call: str, before: int) -> None:
        self.which = which
        self.call = call
        self.before = before
        """The number of connections that had come before the call."""
        self._wakeup = Wakeup()

    def fits(self, connection: Connection) -> bool:
        """Return whether it is for this connection."""
        if callable(self.which):
            return bool(self.which(connection))
        return self.which in (None, connection.index)

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when something has changed."""
        return self._wakeup.fileno()

    def clear(self) -> None:
        """Make the descriptor unreadable until the next change."""
        self._wakeup.clear()

    def wake(self) -> None:
        """Make the test look again."""
        self._wakeup.call()

    def close(self) -> None:
        """Close the descriptor."""
        self._wakeup.close()

    def wait(self, until: float) -> None:
        """Wait until something has changed, at most until then, in monotonic seconds."""
        ready_among([self.fileno()], max(0.0, until - monotonic()))
        self.clear()
