"""Pause: the process that handles a connection is stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.fault import PROCESS, Fault
from windsock.faults.stages import Stage

__all__ = ["Pause"]


@dataclass(frozen=True, slots=True, repr=False)
class Pause(Fault):
    """A forked child, or a server in a process of its own, is stopped (SIGSTOP, signal(7)).

    It keeps its connections, and the kernel accepts data for it until its buffers are full.
    """

    chain_stage: ClassVar[Stage] = Stage.PROCESS
    chain_order: ClassVar[int] = 40
    applies_to: ClassVar[frozenset[str]] = PROCESS
