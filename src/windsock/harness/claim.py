"""One call of `accept()`: its keywords as one value, and its claim on a connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from windsock.fakes.server_endpoint import ready_among
from windsock.net.system import monotonic
from windsock.net.wakeup import Wakeup

if TYPE_CHECKING:
    from windsock.recording import Connection

__all__ = ["AcceptOptions", "Claim", "Which"]

Which: TypeAlias = "int | Callable[[Connection], object] | None"
"""Which connection to accept: its index, a function of it, or the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptOptions:
    """The keywords of one call of `accept()`, which is `call` in messages."""

    which: Which
    call: str
    seconds: float
    """How long the client may take to come."""
    timeout: float
    """The seconds of each step of the peer."""
    name: str


class Claim:
    """The claim of one call of `accept()` on a connection."""

    def __init__(self, options: AcceptOptions, before: int) -> None:
        self.options = options
        self.call = options.call
        self.before = before
        """The number of connections that had come before the call."""
        self._wakeup = Wakeup()

    def fits(self, connection: Connection) -> bool:
        """Return whether it is for this connection."""
        which = self.options.which
        return bool(which(connection)) if callable(which) else which in (None, connection.index)

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
