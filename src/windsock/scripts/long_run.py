"""A long run of bytes, which is taken as it comes and not kept. No I/O."""

from __future__ import annotations

from windsock.scripts.expectations import Expect
from windsock.scripts.inbox import Inbox
from windsock.scripts.matching import Failed, Matched, NeedMore, Verdict
from windsock.scripts.messages import ended
from windsock.scripts.step import Step

__all__ = ["LongRun", "is_long"]

LONG = 1024 * 1024
"""The length in bytes from which on a run is not kept."""


def is_long(step: Step) -> bool:
    """Return whether a step takes a long run, whatever its bytes are."""
    return isinstance(step, Expect) and step.what is None and isinstance(step.length, int) and step.length >= LONG


class LongRun:
    """The run that one step takes."""

    def __init__(self, step: Step) -> None:
        assert isinstance(step, Expect)
        assert isinstance(step.length, int)
        self._length = step.length
        self._taken = 0

    def __str__(self) -> str:
        return f"{self._taken} of {self._length} bytes"

    def take(self, inbox: Inbox) -> Verdict:
        """Take what has come of it; return whether that is all."""
        if inbox.unread:
            self._taken += len(inbox.take(min(len(inbox.unread), self._length - self._taken)))
        if self._taken == self._length:
            return Matched(0)
        return Failed(f"{ended(inbox)} after {self}") if inbox.has_ended else NeedMore()
