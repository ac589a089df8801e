"""ForkError: fork(2) fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import code_of
from windsock.faults.fault import PROCESS, Fault
from windsock.faults.stages import Stage

__all__ = ["ForkError"]


@dataclass(frozen=True, slots=True, repr=False)
class ForkError(Fault):
    """The server cannot fork for a request: "EAGAIN" (too many processes) or "ENOMEM" (fork(2))."""

    chain_stage: ClassVar[Stage] = Stage.PROCESS
    chain_order: ClassVar[int] = 10
    applies_to: ClassVar[frozenset[str]] = PROCESS

    errno: str = "EAGAIN"

    def __post_init__(self) -> None:
        code_of(self, self.errno)

    @property
    def code(self) -> int:
        """The error's number on this system."""
        return code_of(self, self.errno)
