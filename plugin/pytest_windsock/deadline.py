"""The time that pytest-timeout leaves a test: every wait of windsock ends before that."""

from __future__ import annotations

import math
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["begin", "end", "end_all", "hand_over", "is_debugging", "last_resort", "of"]

MARGIN = 1.0
"""Seconds before the test's end at which waits are over, so that an ordinary failure can be reported..."""
SHARE = 0.1
"""...or this part of the test's time, where that is less."""

monotonic = partial(time.monotonic)
"""The real clock: freezegun replaces `time.monotonic`, but not what stands for it here."""

_running: list[tuple[Any, float]] = []
"""Each test whose time is limited (one can run others), and the monotonic time at which its waits have to be over."""
_settings = pytest.StashKey[Any]()
"""The settings of pytest-timeout for a test."""


def begin(item: pytest.Item, settings: Any) -> None:
    """Note when the test has to be over, from the settings of pytest-timeout."""
    if not settings.disable_debugger_detection and is_debugging():
        return
    item.stash[_settings] = settings
    _running.append((item, monotonic() + settings.timeout - _margin(settings)))
    hand_over()


def _margin(settings: Any) -> float:
    return float(min(MARGIN, settings.timeout * SHARE))


def of(item: pytest.Item) -> tuple[float, float, float]:
    """Return when the test's waits have to be over, the margin behind that, and the seconds of its timeout.

    The time is infinite once the timer has been cancelled, as pytest-timeout does after a failure; without a timeout
    the seconds are 0.
    """
    settings = item.stash.get(_settings, None)
    if settings is None:
        return math.inf, 0.0, 0.0
    until = min((each[1] for each in _running if each[0] is item), default=math.inf)
    return until, _margin(settings), settings.timeout


def last_resort(item: pytest.Item) -> Callable[[], object] | None:
    """Return what ends a run whose test cannot be ended, if pytest-timeout is set to use a thread for that."""
    settings = item.stash.get(_settings, None)
    if settings is None or settings.method != "thread":
        return None
    return partial(sys.modules["pytest_timeout"].timeout_timer, item, settings)


def end(item: pytest.Item) -> None:
    """Forget the test; one around it, if there is one, has its own time."""
    _running[:] = [each for each in _running if each[0] is not item]
    hand_over()


def end_all() -> None:
    """Forget all tests: nothing has to be over any more."""
    _running.clear()
    hand_over()


def hand_over() -> None:
    """Tell windsock, if it has been imported: it is not imported for this."""
    deadlines = sys.modules.get("windsock.net.deadlines")
    if deadlines is None:
        return
    until = min((each[1] for each in _running), default=math.inf)
    if until == math.inf:
        deadlines.no_limit()
    else:
        deadlines.limit_to(until - monotonic())


def is_debugging() -> bool:
    """Return whether a debugger is at work, which pytest-timeout leaves alone."""
    timeout = sys.modules.get("pytest_timeout")
    return timeout is not None and bool(timeout.is_debugging())
