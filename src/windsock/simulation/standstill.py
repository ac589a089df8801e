"""Whether the thread whose turn it is stands still: a lock that only C knows, or a wait of the kernel's."""

from __future__ import annotations

from time import clock_gettime, pthread_getcpuclockid  # the real ones

from windsock.simulation import live, tracers
from windsock.simulation.tasks import Task

__all__ = ["INTERVAL", "StandstillWatch"]

INTERVAL = 5.0
"""Real seconds between two looks."""


class StandstillWatch:
    """Compares what a thread has done between two looks."""

    def __init__(self) -> None:
        self._seen: tuple[int, str, float] | None = None

    def is_still(self, turns: int, task: Task) -> bool:
        """Return whether a task has kept its turn since the last look, and used no processor time."""
        if task.ident not in live.tasks or tracers.are_debugging(task.ident):  # it is outside, or a debugger waits
            self._seen = None
            return False
        before, self._seen = self._seen, (turns, task.name, clock_gettime(pthread_getcpuclockid(task.ident)))
        return before == self._seen
