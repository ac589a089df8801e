"""The current date and time: `datetime.now()`; `today()` and `utcnow()` follow."""

from __future__ import annotations

import datetime as standard
from typing import Any

from windsock.net.system import wall_clock
from windsock.simulation.live import current
from windsock.simulation.skin.clock import NAMES as CLOCKS

__all__ = ["METHODS"]

_now, _utcnow = standard.datetime.__dict__["now"], standard.datetime.__dict__["utcnow"]
_time = CLOCKS[wall_clock]


def now(cls: Any, tz: Any = None) -> Any:
    """Stand in for datetime.now()."""
    return _now.__get__(None, cls)(tz) if current() is None else cls.fromtimestamp(_time(), tz)


def utcnow(cls: Any) -> Any:
    """Stand in for datetime.utcnow()."""
    if current() is None:
        return _utcnow.__get__(None, cls)()
    return cls.fromtimestamp(_time(), standard.UTC).replace(tzinfo=None)


METHODS: dict[tuple[Any, str], Any] = {
    (standard.datetime, "now"): classmethod(now),
    (standard.datetime, "utcnow"): classmethod(utcnow),
}
