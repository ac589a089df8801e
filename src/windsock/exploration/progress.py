"""One line on a terminal that says how far an exploration is; nothing elsewhere."""

from __future__ import annotations

import sys

from windsock.net.system import monotonic

__all__ = ["ProgressLine"]

EVERY = 0.1
"""Seconds between two changes of the line."""


class ProgressLine:
    """The line, on stderr if that is a terminal. `name` is the test's, `most` the examples to try."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._is_shown = sys.stderr is not None and sys.stderr.isatty()
        self._next = 0.0

    def show(self, examples: int, failing: int) -> None:
        """Show the number of examples, and what they have found, unless the line was changed just now."""
        now = monotonic()
        if self._is_shown and now >= self._next:
            self._next = now + EVERY
            found = f"; {failing} fail, looking for a smaller one" if failing else ""
            sys.stderr.write(f"\r\x1b[Kwindsock: {self._name}: {examples} of {self._most} examples{found}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
