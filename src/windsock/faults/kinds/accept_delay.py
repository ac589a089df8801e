"""AcceptDelay: a connection is taken late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import seconds
from windsock.faults.fault import ACCEPT, Fault
from windsock.faults.stages import Stage

__all__ = ["AcceptDelay"]


@dataclass(frozen=True, slots=True, repr=False)
class AcceptDelay(Fault):
    """A connection is served only `time` seconds after the client's connect: that succeeds at once, the rest waits."""

    chain_stage: ClassVar[Stage] = Stage.ACCEPT
    chain_order: ClassVar[int] = 40
    applies_to: ClassVar[frozenset[str]] = ACCEPT

    time: float

    def __post_init__(self) -> None:
        seconds(self, time=self.time)
