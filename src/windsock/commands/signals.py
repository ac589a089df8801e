"""Ctrl-C and SIGTERM as the end of a wait, not as an exception at any place."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Protocol, Self

from windsock.net.deadlines import milliseconds
from windsock.net.system import os, select
from windsock.net.wakeup import Wakeup

__all__ = ["StopRequest", "StopSignals"]

ENDING = (signal.SIGINT, signal.SIGTERM)


class StopRequest(Protocol):
    """What says that a command is to end: StopSignals, or a threading.Event."""

    def wait(self, timeout: float, /) -> bool:
        """Wait for at most that many seconds; return whether the command is to end."""
        ...


class StopSignals:
    """A context manager for the main thread; the second of the signals ends the process at once."""

    def __init__(self) -> None:
        self._has_come = False
        self._wakeup = Wakeup()
        self._before: dict[int, Any] = {}
        self._owner = os.getpid()

    def __enter__(self) -> Self:
        for each in ENDING:
            self._before[each] = signal.signal(each, self._take)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)
        self._wakeup.close()

    def _take(self, _: int, frame: FrameType | None) -> None:  # noqa: ARG002  # the contract of signal handlers
        if os.getpid() != self._owner:
            return  # the parent ends a forked child, and Ctrl-C reaches both
        for each in self._before:
            signal.signal(each, signal.SIG_DFL)
        self._has_come = True
        self._wakeup.call()

    def wait(self, timeout: float, /) -> bool:
        """Wait for at most that many seconds; return whether a signal has come."""
        if not self._has_come:
            poll = select.poll()
            poll.register(self._wakeup.fileno(), select.POLLIN)
            poll.poll(milliseconds(timeout))
        return self._has_come
