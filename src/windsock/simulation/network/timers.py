"""What a network needs of a clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Timers"]


class Timers(Protocol):
    """A clock, and calls at times of it. Times are seconds; calls of one time happen in the order of `call_at`."""

    def now(self) -> float:
        """Return the current time."""
        ...

    def call_at(self, when: float, callback: Callable[[], object]) -> object:
        """Call a function once the clock has reached `when`. What this returns is not used."""
        ...
