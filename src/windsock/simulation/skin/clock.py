"""Clocks and sleep in virtual time."""

from __future__ import annotations

import time  # the standard library's own: its functions are replaced
from collections.abc import Callable
from math import inf, nextafter
from typing import Any

from windsock.net import system
from windsock.simulation.live import current
from windsock.simulation.tasks import Task

__all__ = ["EPOCH", "NAMES", "START", "sleep"]

START = 1000.0
"""Where the monotonic clocks begin, in seconds."""
EPOCH = 1_767_225_600.0
"""Where the wall clock begins: 2026-01-01 UTC, in seconds since 1970."""
_sleep = time.sleep
_clock_gettime, _clock_gettime_ns = time.clock_gettime, time.clock_gettime_ns
MONOTONIC_CLOCKS = {getattr(time, f"CLOCK_{name}", -1) for name in ("MONOTONIC", "MONOTONIC_RAW", "BOOTTIME")} - {-1}


def sleep(seconds: float, /) -> None:
    """Stand in for time.sleep()."""
    task = current()
    if task is None:
        return _sleep(seconds)
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    if seconds == 0:
        task.baton.idle(task)
        task.baton.yield_turn(task)
    else:
        task.baton.park(task, "the end of a sleep", seconds)
    return None


def _read(task: Task, start: float) -> float:
    """Return what a clock shows that began with `start`.

    1000.15 - 1000 is less than 0.15 in binary. A reading is the next float if it would be too early for the time that
    has passed since the last one.
    """
    baton = task.baton
    baton.idle(task)
    now: float = baton.schedule.seconds
    if not start:
        return now
    readings: dict[float, tuple[float, float]] = baton.world.readings
    before, shown = readings.get(start, (0.0, start))
    if now != before:
        passed = round(now - before, 9)
        shown, last = max(shown + passed, now + start), shown
        if shown - last < passed:
            shown = nextafter(shown, inf)
        readings[start] = now, shown
    return shown


def _clock(old: Callable[[], float], start: float) -> Callable[[], float]:
    def clock() -> float:
        task = current()
        return old() if task is None else _read(task, start)

    return clock


def _clock_ns(old: Callable[[], int], start: float) -> Callable[[], int]:
    def clock() -> int:
        task = current()
        return old() if task is None else round(_read(task, 0.0) * 1e9) + round(start) * 10**9

    return clock


def clock_gettime(clock: int, /) -> float:
    """Stand in for time.clock_gettime(): clocks of processor time stay real."""
    task, start = current(), _start_of(clock)
    return _clock_gettime(clock) if task is None or start is None else _read(task, start)


def clock_gettime_ns(clock: int, /) -> int:
    """Stand in for time.clock_gettime_ns()."""
    task, start = current(), _start_of(clock)
    if task is None or start is None:
        return _clock_gettime_ns(clock)
    return round(_read(task, 0.0) * 1e9) + round(start) * 10**9


def _start_of(clock: int) -> float | None:
    if clock == time.CLOCK_REALTIME:
        return EPOCH
    return START if clock in MONOTONIC_CLOCKS else None


def _of_now(old: Callable[..., Any], position: int) -> Callable[..., Any]:
    """Return a stand-in for a function that takes the current time if it is not given."""

    def convert(*arguments: Any) -> Any:
        if current() is None or (len(arguments) > position and arguments[position] is not None):
            return old(*arguments)
        return old(*arguments[:position], _moment(old))

    return convert


def _moment(old: Callable[..., Any]) -> Any:
    """Return the virtual time as a function takes it: in seconds, or as a struct_time."""
    seconds = NAMES[time_time]()
    return _localtime(seconds) if old in (_asctime, _strftime) else seconds


time_time, _localtime, _asctime, _strftime = time.time, time.localtime, time.asctime, time.strftime
NAMES: dict[Any, Any] = {
    time.sleep: sleep,
    time.monotonic: _clock(time.monotonic, START),
    time.perf_counter: _clock(time.perf_counter, START),
    time.time: _clock(time.time, EPOCH),
    time.monotonic_ns: _clock_ns(time.monotonic_ns, START),
    time.perf_counter_ns: _clock_ns(time.perf_counter_ns, START),
    time.time_ns: _clock_ns(time.time_ns, EPOCH),
    time.clock_gettime: clock_gettime,
    time.clock_gettime_ns: clock_gettime_ns,
    time.localtime: _of_now(time.localtime, 0),
    time.gmtime: _of_now(time.gmtime, 0),
    time.ctime: _of_now(time.ctime, 0),
    time.asctime: _of_now(time.asctime, 0),
    time.strftime: _of_now(time.strftime, 1),
    system.monotonic: _clock(system.monotonic, START),
    system.wall_clock: _clock(system.wall_clock, EPOCH),
}
"""The stand-ins by what they stand in for."""
