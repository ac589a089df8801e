"""Limits on waits: the time that the test has left, and the longest wait that one call accepts."""

from __future__ import annotations

import math
import sys
from typing import Any

from windsock.net.system import monotonic

__all__ = [
    "LONGEST",
    "MOMENT",
    "capped",
    "is_over",
    "is_seconds",
    "latest",
    "limit_until",
    "milliseconds",
    "suspend",
    "to_stop",
    "within",
]

LONGEST = 7 * 24 * 3600.0
"""The longest wait of one call, in seconds: poll(2), socket timeouts and locks each have a limit of their own."""

MOMENT = 0.2
"""Seconds that a stop has even if the test's time is over: what is asked to end can do so."""

_latest: list[float] = [math.inf]
_asked_for: list[float] = [math.inf]
"""What `_latest` is unless limits are suspended."""
_is_suspended: list[bool] = [False]


def latest() -> float:
    """Return the monotonic time at which every wait must be over; infinity if there is no limit."""
    return _latest[0]


def limit_until(time: float) -> None:
    """Limit every wait to a monotonic time; infinity: no limit."""
    _asked_for[0] = time
    _latest[0] = math.inf if _is_suspended[0] else time


def suspend(*, is_suspended: bool) -> None:
    """Have no limit while the clock is not the real one, which limits are given in; or have it again."""
    _is_suspended[0] = is_suspended
    limit_until(_asked_for[0])


def is_over() -> bool:
    """Return whether the test has no time left."""
    return monotonic() >= _latest[0]


def within(seconds: float | None) -> float:
    """Return how long a wait of `seconds` takes: at most as long as the test has left.

    None: a wait without a limit of its own.
    """
    return max(0.0, _cut(seconds))


def to_stop(seconds: float | None) -> float:
    """Return how long a stop of `seconds` takes: as `within()` says, but at least MOMENT."""
    return max(_cut(seconds), 0.0 if seconds is None else min(seconds, MOMENT))


def _cut(seconds: float | None) -> float:
    return min(math.inf if seconds is None else seconds, _latest[0] - monotonic())


def is_seconds(value: Any) -> bool:
    """Return whether a value is a valid duration: a finite number from 0 up, and not True or False."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max


def capped(seconds: float) -> float:
    """Return the seconds to pass to a call that waits: from 0 to `LONGEST`, also for infinity."""
    return min(max(0.0, seconds), LONGEST)


def milliseconds(seconds: float) -> float:
    """Return the milliseconds to pass to poll(2), rounded up so that it does not return too early.

    They are not rounded in a simulated world, which waits exactly.
    """
    if seconds <= 0.0:
        return 0
    exact = min(seconds, LONGEST) * 1000.0
    return exact if _is_suspended[0] else int(exact) + 1
