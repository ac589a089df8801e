"""Which thread runs next, and when: a run queue, timers and a virtual clock, decided by a seed or an interleaving.

No thread is started or stopped here: the owner of the schedule does that. Times are virtual seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import count

from windsock.simulation.interleaving import Interleaving
from windsock.simulation.tasks import Task

__all__ = ["PREEMPTION", "Schedule"]

FREE_IDLE_CALLS = 10_000
"""How often a thread may look at the clock, or not wait, before time begins to creep: only loops come there."""
LARGEST_CREEP = 1000
"""In microseconds."""
LONGEST_EXACT = 9e6
"""The seconds up to which floats tell nanoseconds apart."""
NANOSECONDS = 1e9
"""In a second: the resolution of waits, so that 0.1 and 0.2 seconds are 0.3."""
PREEMPTION = 0.25
"""How probable it is that a call that need not wait lets another thread run first."""


class Schedule:
    """Tasks that are ready, timers, and the time. `trace` has an entry for each choice, if it is a list."""

    def __init__(self, seed: int, *, is_traced: bool = False, interleaving: Interleaving | None = None) -> None:
        self.seconds: float = 0.0
        self.steps: int = 0
        self.trace: list[tuple[float, str]] | None = [] if is_traced else None
        self._random = random.Random(seed).random
        self._interleaving = interleaving
        self._ready: list[Task] = []
        self._timers: list[tuple[float, int, Task | Callable[[], object], int]] = []
        self._numbers = count()

    def now(self) -> float:
        """Return the virtual time, in seconds since the world began."""
        return self.seconds

    def after(self, seconds: float) -> float:
        """Return the time when a wait that begins now will be over; later than now, unless it takes no time."""
        now = self.seconds
        if seconds <= 0:
            return now
        until = now + seconds
        if until > LONGEST_EXACT:
            return until
        exact = int(until * NANOSECONDS + 0.5) / NANOSECONDS
        return exact if exact > now else int(now * NANOSECONDS + 1.5) / NANOSECONDS

    def call_at(self, when: float, callback: Callable[[], object]) -> None:
        """Call a function once the time has come."""
        heappush(self._timers, (when, next(self._numbers), callback, 0))

    def add(self, task: Task) -> None:
        """Put a new task into the run queue."""
        self._ready.append(task)
        if self._interleaving is not None:
            self._interleaving.added(task)

    def park(self, task: Task, timeout: float | None) -> None:
        """Have a task wait until it is woken, or until `timeout` seconds have passed."""
        task.is_ready = task.timed_out = False
        task.wait += 1
        task.since = self.seconds
        task.idle_calls = 0
        if timeout is not None:
            heappush(self._timers, (self.after(timeout), next(self._numbers), task, task.wait))

    def wake(self, task: Task, *, timed_out: bool = False) -> None:
        """Make a waiting task ready."""
        if not task.is_ready:
            task.is_ready = True
            task.timed_out = timed_out
            self._ready.append(task)

    def recover(self, tasks: Iterable[Task]) -> None:
        """Put back tasks that are ready and not in the run queue: those chosen when a signal's handler raised."""
        self._ready += [each for each in tasks if each.is_ready and each not in self._ready]

    def has_timers(self) -> bool:
        """Return whether anything is due at a later time."""
        self._drop_outdated()
        return bool(self._timers)

    def has_others(self) -> bool:
        """Return whether another task could run now."""
        if self._timers and self._timers[0][0] <= self.seconds:
            self._fire()
        return bool(self._ready)

    def preempts(self, probability: float = PREEMPTION) -> bool:
        """Decide whether the running task is to let another one run first."""
        if self._interleaving is not None:
            return self.has_others() and self._interleaving.preempts()
        return self.has_others() and self._random() < probability

    def creep(self, task: Task) -> bool:
        """Count a call that passes no time; after many in a row time moves on by itself, so that a loop ends.

        Return whether it did.
        """
        task.idle_calls += 1
        if task.idle_calls <= FREE_IDLE_CALLS:
            return False
        self.seconds = self.after(1e-6 * min(LARGEST_CREEP, task.idle_calls - FREE_IDLE_CALLS))
        return True

    def next(self) -> Task | None:
        """Remove the next task from the run queue; moves the clock if none is ready. None if nothing is due either."""
        while not self.has_others():
            if not self.has_timers():
                return None
            self.seconds = self._timers[0][0]
            self.steps = 0
        self.steps += 1
        ready = self._ready
        if self._interleaving is not None:
            chosen = ready.pop(self._interleaving.choose(ready))
        else:
            chosen = ready.pop(int(self._random() * len(ready))) if len(ready) > 1 else ready.pop()
        if self.trace is not None:
            self.trace.append((round(self.seconds, 9), chosen.name))
        return chosen

    def _drop_outdated(self) -> None:
        """Remove timers of waits that have ended, so that the clock does not move for them."""
        while self._timers:
            _, _, what, wait = self._timers[0]
            if not isinstance(what, Task) or (what.wait == wait and not what.is_ready):
                return
            heappop(self._timers)

    def _fire(self) -> None:
        while self._timers and self._timers[0][0] <= self.seconds:
            _, _, what, wait = heappop(self._timers)
            if not isinstance(what, Task):
                what()
            elif what.wait == wait:
                self.wake(what, timed_out=True)
