"""Real threads of which exactly one runs at a time: the one that holds the baton.

A thread that has to wait parks: the schedule picks the next one, and the thread gives it the turn and waits for its
own. A thread that is not of the world may wake tasks too (`notify_from_outside`).
"""

from __future__ import annotations

import sys
from _thread import LockType, get_ident
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from windsock.simulation import live, standstill
from windsock.simulation.errors import Deadlock, Livelock, Standstill
from windsock.simulation.interpreter import tail_of
from windsock.simulation.raised import RaisedErrors
from windsock.simulation.report import describe, describe_running
from windsock.simulation.schedule import PREEMPTION, Schedule
from windsock.simulation.tasks import Task, locked

__all__ = ["Baton", "Stuck"]

acquire, release = LockType.acquire, LockType.release  # as they are without a world
GRACE = 0.05
"""Real seconds in which a thread from outside may wake a world that stands still."""
MOST_RETRIES = 200
"""How often a world waits for that long for locks that such threads hold."""
PATIENCE = 2.0
"""Real seconds after which an interrupted thread goes on, even if another one does not hand over."""


class Stuck(Exception):
    """A thread of the world did not hand over for `Baton.limit` real seconds."""


class Baton:
    """Hands the turn from thread to thread.

    `waiters` are the tasks that wait, by what they wait for (the id of an object); `holders` the names of the threads
    that took each lock last. `running` is the task whose turn it is, `turns` how many there were.
    """

    def __init__(self, schedule: Schedule, seed: int, most_steps: int) -> None:
        self.schedule = schedule
        self.waiters: dict[int, list[Task]] = {}
        self.holders: dict[int, str] = {}
        self.members: dict[Task, None] = {}
        self.world: Any = None
        self.is_broken: bool = False
        self.limit: float = -1.0
        self._seed = seed
        self._most_steps = most_steps
        self._inbox: deque[Task | int] = deque()
        self._poke = locked()
        self._retries = 0
        self.turns: int = 0
        self._watch = standstill.StandstillWatch()
        self._tails: list[Callable[[], None]] = []
        self._deadlocked: dict[Task, int] = {}
        self.main: Task = self.add("main")
        self.raised: RaisedErrors = RaisedErrors(self.main)
        self.running: Task = self.main
        self.enter(self.main)

    # --- tasks

    def add(self, name: str) -> Task:
        """Return a new task, which has not been given to the schedule yet."""
        task = Task(name, self, locked())
        self.members[task] = None
        return task

    def enter(self, task: Task) -> None:
        """Make the calling thread a task's thread."""
        task.ident = get_ident()
        live.tasks[task.ident] = task

    def run(self, task: Task, function: Callable[[], object]) -> None:
        """Run a function as a task, in the calling thread: from its first turn to its last."""
        acquire(task.turn)
        if self.is_broken:
            return
        self.enter(task)
        self._wait_for_tails()
        try:
            function()
        finally:
            self._end(task)

    def remove(self, task: Task) -> None:
        """Forget a task whose thread does not run."""
        self.members.pop(task, None)

    def _end(self, task: Task) -> None:
        """Hand over for the last time: the rest of the thread runs beside the next task, which waits for it."""
        if self.running is not task:  # the world has gone on without it
            return
        live.tasks.pop(task.ident, None)
        self.remove(task)
        tail = tail_of(task.thread)
        if tail is not None:
            self._tails.append(tail.wait)
            self.notify(tail.key)
        self.notify(id(task))
        self.running = following = self._choose()
        release(following.turn)

    # --- waiting

    def park(self, task: Task, waits_for: str, timeout: float | None = None) -> bool:
        """Wait until the task is woken, or for `timeout` virtual seconds; return whether it was woken."""
        if self.raised.is_open:
            self.raised.settle()
        self._raise_error(task)
        task.waits_for = waits_for
        self.schedule.park(task, timeout)
        try:
            following = self._choose()
            if following is not task:
                self._pass_on(task, following)
        finally:
            task.waits_for = ""
        self._raise_error(task)
        return not task.timed_out

    def wait_on(self, task: Task, keys: Sequence[int], waits_for: str, timeout: float | None = None) -> bool:
        """Park until one of the keys is notified, or for `timeout` virtual seconds; return whether it was woken."""
        for key in keys:
            self.add_waiter(key, task)
        try:
            return self.park(task, waits_for, timeout)
        finally:
            for key in keys:
                self.remove_waiter(key, task)

    def add_waiter(self, key: int, task: Task) -> None:
        """Have a task woken when a key is notified."""
        self.waiters.setdefault(key, []).append(task)

    def remove_waiter(self, key: int, task: Task) -> None:
        """Undo `add_waiter()`."""
        waiting = self.waiters.get(key)
        if waiting and task in waiting:
            waiting.remove(task)
            if not waiting:
                del self.waiters[key]

    def notify(self, key: int) -> None:
        """Wake the tasks that wait on a key."""
        for task in self.waiters.get(key, ()):
            self.schedule.wake(task)

    def notify_from_outside(self, key: int) -> None:
        """Wake the tasks that wait on a key, from a thread that is not of the world."""
        self._inbox.append(key)
        self._wake_up()

    def _wake_up(self) -> None:
        with suppress(RuntimeError):  # it has been woken already
            release(self._poke)

    def pause(self, task: Task, probability: float = PREEMPTION) -> None:
        """Let another task run first, if the seed says so."""
        if self.schedule.preempts(probability):
            self.yield_turn(task)

    def yield_turn(self, task: Task) -> None:
        """Let another task that is ready run first."""
        self._raise_error(task)
        if self._guarded(self.schedule.has_others):
            following = self._choose()
            self.schedule.add(task)
            self._pass_on(task, following)
            self._raise_error(task)

    def idle(self, task: Task) -> None:
        """Count a call that passes no time."""
        if self.schedule.creep(task):
            self.yield_turn(task)  # the loop may wait for another thread
        if task.idle_calls > self._most_steps:
            task.idle_calls = 0
            raise self.raised.add(task, Livelock(self._most_steps, self.schedule.seconds, self._seed))

    # --- handing over

    def throw(self, task: Task, error: BaseException) -> None:
        """Have a task's wait raise an error."""
        task.error = error
        self.schedule.wake(task)

    def _raise_error(self, task: Task) -> None:
        if task.error is not None:
            error, task.error = task.error, None
            try:
                raise self.raised.add(task, error)
            finally:
                del error  # it refers to this frame

    def _pass_on(self, task: Task, following: Task) -> None:
        self.running = following
        self.turns += 1
        try:
            release(following.turn)
            has_turn = self._wait_for_turn(task)
        except BaseException:  # from a signal's handler
            self._take_soon(task)
            raise
        if not has_turn:
            self.is_broken = True
            if self.limit >= 0:
                raise Stuck
            raise self.raised.add(task, Standstill(describe_running(self.running), self.schedule.seconds))
        if self._tails:
            self._wait_for_tails()

    def _wait_for_turn(self, task: Task) -> bool:
        watches = task is self.main and self.limit < 0
        while not acquire(task.turn, True, standstill.INTERVAL if watches else self.limit):
            if not watches or self._watch.is_still(self.turns, self.running):
                return False
        return True

    def _take_soon(self, task: Task) -> None:
        """Take the turn after an interruption, from a thread that may not be able to give it."""
        if self.running is task:
            acquire(task.turn, True, GRACE)
            return
        self._inbox.append(task)
        self._wake_up()
        if not acquire(task.turn, True, PATIENCE):
            self.is_broken = True

    def _wait_for_tails(self) -> None:
        """Wait until threads that have handed over for the last time have really ended."""
        while self._tails:
            self._tails.pop()()

    def _choose(self) -> Task:
        while True:
            if self._inbox:
                self._read_inbox()
            chosen = self._guarded(self.schedule.next)
            if chosen is not None and self.schedule.steps <= self._most_steps:
                return chosen
            if chosen is not None:
                self._stop(chosen)
            elif not self._was_woken_from_outside():
                self._deadlocked = {each: each.wait for each in self.members if each is not self.main}
                waits = describe(self.members, self.holders)
                self.throw(self.main, Deadlock(waits, self.schedule.seconds, self._seed))

    def has_deadlock(self) -> bool:
        """Return whether a thread is still in the wait in which the last Deadlock has found it."""
        return any(task in self.members and task.wait == wait for task, wait in self._deadlocked.items())

    def _stop(self, chosen: Task) -> None:
        """Raise Livelock in the main thread."""
        self.schedule.add(chosen)
        self.throw(self.main, Livelock(self.schedule.steps - 1, self.schedule.seconds, self._seed))
        self.schedule.steps = 0

    def _guarded(self, choose: Callable[[], Task | bool | None]) -> Task | None:
        """Call the schedule; an error of a timer's function is the main thread's."""
        while True:
            try:
                return choose()  # type: ignore[return-value]
            except Exception as error:
                self.throw(self.main, error)

    def _read_inbox(self) -> None:
        while self._inbox:
            what = self._inbox.popleft()
            if isinstance(what, Task):
                self.schedule.wake(what)
            else:
                self.notify(what)

    def _was_woken_from_outside(self) -> bool:
        if self._inbox:
            return True
        if len(sys._current_frames()) <= len(self.members):
            return False
        return acquire(self._poke, True, GRACE) or self._retries_locks()

    def _retries_locks(self) -> bool:
        """Have tasks try again that wait for a lock which a thread from outside holds; return whether there are any."""
        tasks = [each for key, waiting in self.waiters.items() if key not in self.holders for each in waiting]
        found = [each for each in tasks if "lock" in each.waits_for]
        self._retries += bool(found)
        if self._retries > MOST_RETRIES:
            return False
        for each in found:
            self.schedule.wake(each)
        return bool(found)
