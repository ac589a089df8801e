"""How long a wait may take: no longer than what is left of the test, and than the call that waits can be told."""

from __future__ import annotations

import math
import sys
from typing import Any

from windsock.net.system import monotonic

__all__ = ["LONGEST", "capped", "is_seconds", "latest", "limit_to", "milliseconds", "no_limit"]

LONGEST = 7 * 24 * 3600.0
"""Seconds that one call is told to wait at most: poll(2), socket timeouts and locks each have a limit of their own."""

_latest: list[float] = [math.inf]


def latest() -> float:
    """Return the monotonic time at which every wait has to be over; infinity without a limit."""
    return _latest[0]


def limit_to(seconds: float) -> None:
    """Let every wait be over `seconds` from now."""
    _latest[0] = monotonic() + seconds


def no_limit() -> None:
    """Take `limit_to()` back."""
    _latest[0] = math.inf


def is_seconds(value: Any) -> bool:
    """Return whether a value can be a duration: a finite number from 0 up. True and False are no numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max


def capped(seconds: float) -> float:
    """Return the seconds to pass to a call that waits: from 0 to `LONGEST`. Infinity is `LONGEST`, too."""
    return min(max(0.0, seconds), LONGEST)


def milliseconds(seconds: float) -> int:
    """Return the milliseconds to pass to poll(2), rounded up so that it does not return too early."""
    return 0 if seconds <= 0.0 else int(min(seconds, LONGEST) * 1000.0) + 1
