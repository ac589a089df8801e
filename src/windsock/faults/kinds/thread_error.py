"""ThreadError: no thread can be started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.fault import PROCESS, Fault
from windsock.faults.stages import Stage

__all__ = ["ThreadError"]


@dataclass(frozen=True, slots=True, repr=False)
class ThreadError(Fault):
    """The server cannot start a thread for a request: Thread.start raises RuntimeError, as at a limit on threads."""

    chain_stage: ClassVar[Stage] = Stage.PROCESS
    chain_order: ClassVar[int] = 20
    applies_to: ClassVar[frozenset[str]] = PROCESS
