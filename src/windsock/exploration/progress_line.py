"""One line on a terminal that says how far long work is, and about how long it will still take."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Self, TextIO

from windsock.net.system import monotonic

__all__ = ["ProgressLine"]

WIDTH = 79
INTERVAL = 0.1
"""Seconds between two updates."""
WORTH_AN_ESTIMATE = 10.0
"""Seconds that the work takes altogether..."""
ENOUGH = 2.0
"""...by what has been seen in this number of seconds."""


class ProgressLine:
    """A line about work in progress, which each call of `show()` replaces. Nothing is written unless on a terminal.

    The line has an estimate of the time that is left if the work takes over ten seconds altogether.
    """

    def __init__(self, what: str, stream: TextIO | None = None, *, clock: Callable[[], float] = monotonic) -> None:
        self._what = what
        self._stream = stream or sys.stderr
        self._clock = clock
        self._began = clock()
        self._next = self._began
        self._is_quiet = not self._stream.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, share: float, detail: str = "") -> None:
        """Say which share of the work is done, from 0 to 1, and what it is at."""
        now = self._clock()
        if self._is_quiet or now < self._next:
            return
        self._next = now + INTERVAL
        parts = [f"{self._what}: {share:.0%}", self._left(share, now - self._began), detail]
        self._write(", ".join(each for each in parts if each))

    def clear(self) -> None:
        """Remove the line, so that something else can be printed in its place; the next `show()` writes it again."""
        self._next = self._clock()
        if not self._is_quiet:
            self._write("")

    def _left(self, share: float, seconds: float) -> str:
        if seconds < ENOUGH or share <= 0 or seconds / share < WORTH_AN_ESTIMATE:
            return ""
        left = seconds / share - seconds
        return f"about {left:.0f} s left" if left < 100 else f"about {left / 60:.0f} min left"

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line[:WIDTH]}\x1b[K")
        self._stream.flush()
