"""The end of a world: let its threads finish, end those that do not, and name the rest."""

from __future__ import annotations

import threading  # the standard library's own: its hook for exceptions
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from windsock.simulation.baton import Baton, Stuck
from windsock.simulation.errors import Deadlock, WorldOver
from windsock.simulation.interpreter import HAS_HANDLES, forget
from windsock.simulation.tasks import Task

__all__ = ["end_threads"]

DRAIN = 15.0
"""Virtual seconds in which threads may finish by themselves: longer than idle workers stay (trio's, 10 s)."""
STEP = 0.5
"""In virtual seconds."""
ROUNDS = 50
"""How often a thread is told to end."""
REAL_LIMIT = 3.0
"""Real seconds after which a thread that does not hand over is given up."""


def end_threads(baton: Baton) -> list[str]:
    """End all threads of a world but the calling one; return the names of those that would not end."""
    baton.limit = REAL_LIMIT
    if not baton.is_broken:
        baton.schedule.recover(_others(baton))
        try:
            with suppress(Deadlock):
                baton.world.executors.finish()
            _drain(baton)
            with _silence(), suppress(Deadlock):
                baton.world.executors.cancel()
            with _silence():
                _tell(baton)
        except Stuck:
            pass
    return [_give_up(task) for task in _others(baton)]


def _others(baton: Baton) -> list[Task]:
    return [each for each in baton.members if each is not baton.main]


def _drain(baton: Baton) -> None:
    """Let the threads run as long as anything is due."""
    schedule = baton.schedule
    until = schedule.seconds + DRAIN
    while _others(baton) and schedule.seconds < until and (schedule.has_others() or schedule.has_timers()):
        if not _wait(baton):  # they would go on without end
            return


def _tell(baton: Baton) -> None:
    """Raise WorldOver in each wait of the threads."""
    for _ in range(ROUNDS):
        others = _others(baton)
        if not others:
            return
        for each in others:
            baton.throw(each, WorldOver("the simulated world is over"))
        _wait(baton)


@contextmanager
def _silence() -> Iterator[None]:
    """Have no WorldOver reported as an exception of a thread."""
    report = threading.excepthook

    def report_others(arguments: Any) -> None:
        if arguments.exc_type is not WorldOver:
            report(arguments)

    threading.excepthook = report_others
    try:
        yield
    finally:
        threading.excepthook = report


def _wait(baton: Baton) -> bool:
    """Let the threads run for a step; return whether that went without an error, such as Livelock."""
    try:
        baton.park(baton.main, "the end of the world", STEP)
    except Stuck:
        raise
    except Exception:
        return False
    return True


def _give_up(task: Task) -> str:
    if not HAS_HANDLES:
        forget(task.thread)
    return task.name
