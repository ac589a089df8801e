"""Which thread runs next by a list of points, in place of a seed: a value that can be shrunk, printed and replayed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from windsock.errors import UsageError
from windsock.simulation.tasks import Task

__all__ = ["Interleaving", "Points"]

Points: TypeAlias = "Iterable[tuple[int, int]]"
"""Pairs of a step and a thread. A step is a moment at which another thread could run, counted from 0..."""


class Interleaving:
    """Has threads run as long as they can, then the one that has been ready for longest, except at the points.

    A step is a call of a socket or a lock while other threads are ready, or a wait that more than one of them could
    follow. At the step of a point the thread runs that has this number among those, counted from 0 (and around). A
    thread that has been pre-empted goes on when no other one is ready.
    """

    def __init__(self, points: Points) -> None:
        self._points = _checked(points)
        self._steps = 0
        self._next: int | None = None
        self._held: set[Task] = set()

    def preempts(self) -> bool:
        """Decide whether the running thread is to let another one run first."""
        self._next = self._take()
        return self._next is not None

    def choose(self, ready: Sequence[Task]) -> int:
        """Return the place of the thread that runs next among those that are ready."""
        places = [place for place, task in enumerate(ready) if task not in self._held] or range(len(ready))
        wanted = self._next
        if wanted is None and len(places) > 1:
            wanted = self._take()
        chosen = places[(wanted or 0) % len(places)]
        self._held.discard(ready[chosen])
        return chosen

    def added(self, task: Task) -> None:
        """Note that a thread is ready which has not waited: a new one, or one that has let another one run."""
        if self._next is not None:
            self._next = None
            self._held.add(task)

    def _take(self) -> int | None:
        step, self._steps = self._steps, self._steps + 1
        return self._points.get(step)


def _checked(points: Any) -> dict[int, int]:
    try:
        pairs = [(step, thread) for step, thread in points]
    except (TypeError, ValueError):
        pairs = [(-1, -1)]
    if not all(isinstance(each, int) and each >= 0 for pair in pairs for each in pair):
        raise UsageError(
            f"simulated(interleaving={points!r}): expected pairs of a step and a thread, both counted from 0, "
            "such as [(12, 0)]"
        )
    return dict(pairs)
