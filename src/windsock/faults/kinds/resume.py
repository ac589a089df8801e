"""Resume: the process that handles a connection wakes up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.fault import PROCESS, Fault
from windsock.faults.stages import Stage

__all__ = ["Resume"]


@dataclass(frozen=True, slots=True, repr=False)
class Resume(Fault):
    """A forked child, or a server in a process of its own, goes on (SIGCONT, signal(7)).

    It takes up what came in while Pause() had stopped it.
    """

    chain_stage: ClassVar[Stage] = Stage.PROCESS
    chain_order: ClassVar[int] = 50
    applies_to: ClassVar[frozenset[str]] = PROCESS
