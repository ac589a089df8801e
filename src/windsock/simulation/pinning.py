"""The processors that the threads of a world may run on: one, which makes a hand-over several times as fast."""

from __future__ import annotations

import os  # the standard library's own: for the processors of a thread
from typing import Any

from windsock.simulation.live import current

__all__ = ["NAMES", "one_of", "pin", "pin_to_one", "processors"]

_get: Any = getattr(os, "sched_getaffinity", None)
_set: Any = getattr(os, "sched_setaffinity", None)
_before: list[frozenset[int]] = [frozenset()]


def processors() -> frozenset[int]:
    """Return the processors that the calling thread may use; empty where the system does not tell."""
    return frozenset(_get(0)) if _get else frozenset()


def pin(allowed: frozenset[int]) -> None:
    """Have the calling thread, and those that it starts, use these processors."""
    if allowed:
        _set(0, allowed)


def pin_to_one(allowed: frozenset[int]) -> None:
    """Have the calling thread, and those that it starts, use one of these processors."""
    _before[0] = allowed
    if allowed:
        _set(0, {one_of(allowed, os.getpid())})


def one_of(allowed: frozenset[int], process: int) -> int:
    """Return the processor for the worlds of a process: processes in a row, as those of xdist, use others."""
    return sorted(allowed)[process % len(allowed)]


def sched_getaffinity(pid: int, /) -> set[int]:
    """Stand in for os.sched_getaffinity(): a program sees the processors that it had before."""
    return set(_before[0]) if pid == 0 and current() is not None else _get(pid)


NAMES: dict[Any, Any] = {_get: sched_getaffinity} if _get else {}
