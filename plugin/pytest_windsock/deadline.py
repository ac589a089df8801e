"""The time that pytest-timeout leaves a test: every wait of windsock ends before that."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

__all__ = [
    "TestTime",
    "begin",
    "end",
    "end_all",
    "hand_over",
    "is_debugging",
    "is_watched",
    "limit_phase",
    "margin_of",
    "of",
    "postpone",
]

MARGIN = 1.0
"""Seconds before the test's end at which waits are over, so that an ordinary failure can be reported..."""
SHARE = 0.1
"""...or this part of the test's time, where that is less."""
BEHIND = 10.0
"""Seconds after a test's time at which pytest-timeout strikes, if the watch over hangs could not end the test."""

monotonic = partial(time.monotonic)
"""The real clock: freezegun replaces `time.monotonic`, but not what stands for it here."""

_running: list[tuple[Any, float]] = []
"""Each test whose time is limited (one can run others), and the monotonic time at which its waits have to be over."""
_phase = [math.inf]
"""The monotonic time at which waits in the phase that runs have to be over, where pytest-timeout does not limit it."""
_settings = pytest.StashKey[Any]()
"""The settings of pytest-timeout for a test."""
_is_postponed = pytest.StashKey[bool]()
"""Kept if its timer strikes later than that."""


def begin(item: pytest.Item, settings: Any) -> None:
    """Note when the test has to be over, from the settings of pytest-timeout."""
    if not settings.disable_debugger_detection and is_debugging():
        return
    item.stash[_settings] = settings
    _running.append((item, monotonic() + settings.timeout - margin_of(settings.timeout)))
    hand_over()


def postpone(item: pytest.Item, settings: Any) -> bool | None:
    """Set the timer of pytest-timeout for a moment at which the watch over hangs has failed to end the test.

    On a busy machine it would otherwise strike before the watch has come to it. Return None if pytest-timeout should
    set its timer itself.
    """
    if settings.method == "thread":
        item.stash[_is_postponed] = True
        return True  # the watch does what it would do, once nothing else has helped
    if threading.current_thread() is not threading.main_thread():
        return None
    item.stash[_is_postponed] = True
    sys.modules["pytest_timeout"].pytest_timeout_set_timer(item, settings)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout + BEHIND)
    return True


def is_watched(item: pytest.Item) -> bool:
    """Return whether the test has a timeout that the watch over hangs keeps, whether or not there are servers."""
    return _settings in item.stash and _is_postponed in item.stash


def margin_of(seconds: float) -> float:
    """Return how long before the end of a time of `seconds` waits are over."""
    return min(MARGIN, seconds * SHARE)


@dataclass(frozen=True, slots=True)
class TestTime:
    """The time of a test, as pytest-timeout has it."""

    __test__ = False  # it is no test itself

    seconds: float = 0.0
    """Its timeout; 0: none."""
    until: float = math.inf
    """The monotonic time at which its waits have to be over; infinite once the timer has been cancelled, as
    pytest-timeout does after a failure."""
    heeds_debuggers: bool = True
    """Whether a debugger suspends it; pytest-timeout can be told not to look for one."""
    last_resort: Callable[[], object] | None = None
    """What ends a run whose test cannot be ended, if pytest-timeout is set to use a thread for that."""


UNLIMITED = TestTime()


def of(item: pytest.Item) -> TestTime:
    """Return the time of the test."""
    if _settings not in item.stash:
        return UNLIMITED
    settings = item.stash[_settings]
    until = min((each[1] for each in _running if each[0] is item), default=math.inf)
    resort = partial(sys.modules["pytest_timeout"].timeout_timer, item, settings)
    return TestTime(
        settings.timeout,
        until,
        not settings.disable_debugger_detection,
        resort if settings.method == "thread" else None,
    )


def end(item: pytest.Item) -> None:
    """Forget the test; one around it, if there is one, has its own time."""
    _running[:] = [each for each in _running if each[0] is not item]
    hand_over()


def end_all() -> None:
    """Forget all tests: nothing has to be over any more."""
    _running.clear()
    _phase[0] = math.inf
    hand_over()


def limit_phase(until: float) -> None:
    """Limit the waits of the phase that runs to a monotonic time; infinity: no limit."""
    _phase[0] = until
    if _running:
        hand_over()
    else:
        sys.modules["windsock.net.deadlines"].limit_until(until)


def hand_over() -> None:
    """Tell windsock, if it has been imported: it is not imported for this."""
    deadlines = sys.modules.get("windsock.net.deadlines")
    if deadlines is None:
        return
    until = min((each[1] for each in _running), default=math.inf)
    until = min(until, _phase[0])
    deadlines.limit_until(until)


def is_debugging() -> bool:
    """Return whether a debugger is at work, which pytest-timeout leaves alone."""
    timeout = sys.modules.get("pytest_timeout")
    return timeout is not None and bool(timeout.is_debugging())
