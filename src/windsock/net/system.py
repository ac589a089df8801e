"""The clock that windsock's own waits go by, out of reach of tools that replace the standard library's.

freezegun looks through all modules for the functions of `time` and puts others in their place, also where they were
imported by name. What stands here is not the same object as what it looks for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType

__all__ = ["monotonic"]


def _genuine_monotonic() -> Callable[[], float]:
    """Return the real clock, also if `time.monotonic` was replaced before this module was imported."""
    if isinstance(time.monotonic, BuiltinFunctionType):
        return partial(time.monotonic)
    return partial(time.clock_gettime, time.CLOCK_MONOTONIC)


monotonic: Callable[[], float] = _genuine_monotonic()
"""Seconds, as time.monotonic() counts them."""
