"""Kill: the process that handles a connection gets a signal."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import wrong
from windsock.faults.fault import PROCESS, Fault
from windsock.faults.stages import Stage

__all__ = ["Kill"]


@dataclass(frozen=True, slots=True, repr=False)
class Kill(Fault):
    """A forked child, or a server in a process of its own, gets a signal, by its name in signal(7)."""

    chain_stage: ClassVar[Stage] = Stage.PROCESS
    chain_order: ClassVar[int] = 60
    applies_to: ClassVar[frozenset[str]] = PROCESS

    signal: str = "SIGKILL"

    def __post_init__(self) -> None:
        if self.signal not in signal.Signals.__members__:
            raise wrong(self, "signal", self.signal, "a name of signal(7), such as 'SIGKILL' or 'SIGTERM'")

    @property
    def number(self) -> int:
        """The signal's number on this system."""
        return signal.Signals[self.signal].value
