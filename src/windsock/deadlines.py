"""How long a wait may take: never longer than what is left of the test that waits."""

from __future__ import annotations

import math

from windsock.net.system import monotonic

__all__ = ["latest", "limit_to", "no_limit"]

_latest: list[float] = [math.inf]


def latest() -> float:
    """Return the monotonic time at which every wait has to be over; infinity if nobody has said so."""
    return _latest[0]


def limit_to(seconds: float) -> None:
    """Let every wait be over in so many seconds from now."""
    _latest[0] = monotonic() + seconds


def no_limit() -> None:
    """Take `limit_to()` back."""
    _latest[0] = math.inf
