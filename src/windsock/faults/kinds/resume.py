"""Resume: the process that handles a connection continues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.fault import PROCESS, Fault
from windsock.faults.stages import Stage

__all__ = ["Resume"]


@dataclass(frozen=True, slots=True, repr=False)
class Resume(Fault):
    """A forked child, or a server in a process of its own, continues (SIGCONT, signal(7)).

    It then processes what came in while it was stopped by Pause().
    """

    chain_stage: ClassVar[Stage] = Stage.PROCESS
    chain_order: ClassVar[int] = 50
    applies_to: ClassVar[frozenset[str]] = PROCESS
