"""MaxConnections: a limit on open connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from windsock.faults.checks import count, one_of
from windsock.faults.fault import ACCEPT, Fault
from windsock.faults.stages import Stage

__all__ = ["MaxConnections"]

FATES = ("refuse", "stall", "reset")


@dataclass(frozen=True, slots=True, repr=False)
class MaxConnections(Fault):
    """While `n` connections are open, one more is turned away.

    "refuse": it is closed normally before anything is served; "reset": it is reset; "stall": it stays open, unserved,
    until another connection ends.
    """

    chain_stage: ClassVar[Stage] = Stage.ACCEPT
    chain_order: ClassVar[int] = 50
    applies_to: ClassVar[frozenset[str]] = ACCEPT

    n: int
    then: str = field(default="refuse", kw_only=True)

    def __post_init__(self) -> None:
        count(self, 0, "connections", n=self.n)
        one_of(self, FATES, then=self.then)

    def happens(self, active: int) -> bool:
        """Return whether the limit is reached with `active` open connections."""
        return active >= self.n
