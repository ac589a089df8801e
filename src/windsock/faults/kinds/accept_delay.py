"""AcceptDelay: a connection is accepted late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import seconds
from windsock.faults.fault import ACCEPT, Fault
from windsock.faults.stages import Stage

__all__ = ["AcceptDelay"]


@dataclass(frozen=True, slots=True, repr=False)
class AcceptDelay(Fault):
    """Serve a connection only `time` seconds after the client's connect, which succeeds at once."""

    chain_stage: ClassVar[Stage] = Stage.ACCEPT
    chain_order: ClassVar[int] = 40
    applies_to: ClassVar[frozenset[str]] = ACCEPT

    time: float

    def __post_init__(self) -> None:
        seconds(self, time=self.time)
