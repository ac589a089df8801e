"""What a world knows of trio: its wait when nothing is due, how an error ends it, its threads and its random order."""

from __future__ import annotations

import sys
from functools import partial
from math import isinf
from types import FrameType
from typing import Any, NoReturn

from windsock.simulation.tasks import Task

__all__ = ["IdleWorkers", "generator", "raise_in_order", "timeout_of"]

TRIO_DAY = 86_400.0
"""The seconds after which trio looks again, without a deadline of its tasks."""


def timeout_of(seconds: float) -> float | None:
    """Return the seconds after which a poll of epoll is over; None for the calling thread's trio with no deadline."""
    return None if seconds == TRIO_DAY and _has_no_deadline() else seconds


def _has_no_deadline() -> bool:
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        return isinf(trio.lowlevel.current_statistics().seconds_to_next_deadline)
    except RuntimeError:  # trio does not run in this thread
        return False


def raise_in_order(task: Task, error: BaseException) -> bool:
    """Raise an error in the main task of the calling thread's trio, as trio does for Ctrl-C; return whether it will.

    Raised by the wait of its loop, an error would leave all tasks as they are, and the thread without trio. A main task
    that cannot be interrupted, as it waits for a thread, is told by that thread.
    """
    run: Any = sys.modules.get("trio._core._run")
    runner: Any = None if run is None else getattr(run.GLOBAL_RUN_CONTEXT, "runner", None)
    main = getattr(runner, "main_task", None)
    if main is None:
        return False
    if main._abort_func is not None:
        main._attempt_abort(partial(_raise, error))
    return bool(runner.runq) or _raise_in_workers(task, error)


def _raise(error: BaseException) -> NoReturn:
    raise error


def _raise_in_workers(task: Task, error: BaseException) -> bool:
    frames = sys._current_frames()
    workers = [each for each in task.baton.members if each is not task and _works_for_trio(frames.get(each.ident))]
    frames.clear()  # this frame is among them
    for each in workers:
        task.baton.throw(each, error)
    return bool(workers)


def _works_for_trio(frame: FrameType | None) -> bool:
    """Return whether a thread is one of trio's, and has work."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "trio._threads":
            return True
        frame = frame.f_back
    return False


def generator() -> Any:
    """Return the generator by which trio orders its tasks at random; None without trio."""
    return getattr(sys.modules.get("trio._core._run"), "_r", None)


class IdleWorkers:
    """The idle threads of trio from before a world, which must not work in it; those of the world end with it."""

    def __init__(self) -> None:
        self._before: dict[Any, None] = {}

    def begin(self) -> None:
        """Set the idle threads aside."""
        idle = _idle_workers()
        self._before = dict(idle)
        idle.clear()

    def end(self) -> None:
        """Put them back in the place of those of the world."""
        idle = _idle_workers()
        idle.clear()
        idle.update(self._before)


def _idle_workers() -> dict[Any, None]:
    cache: Any = sys.modules.get("trio._core._thread_cache")
    return {} if cache is None else getattr(cache.THREAD_CACHE, "_idle_workers", {})
