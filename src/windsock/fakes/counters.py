"""Counters that threads and forked children share, so that each number is given out once."""

from __future__ import annotations

from typing import Any

from windsock.errors import UsageError
from windsock.fakes.shared_numbers import SharedNumbers
from windsock.net.system import threading
from windsock.servers.fork_hooks import renew_in_children

__all__ = ["Counters"]

MOST = 64 * 1024
"""The most counters across processes; only those in use take memory."""


class Counters:
    """Counters that start at 0; with `across_processes` forked children share them."""

    def __init__(self, *, across_processes: bool) -> None:
        self._lock = threading.Lock()
        self._numbers: Any = []
        self._count = 0
        self._shared: SharedNumbers | None = None
        if across_processes:
            self._shared = SharedNumbers(MOST, "counters that forked children share")
            self._numbers = self._shared.values
            renew_in_children(self)

    def add(self) -> int:
        """Create a counter and return its number for the other methods. Counters created in a child are not shared."""
        with self._lock:
            if self._shared is None:
                self._numbers.append(0)
            elif self._count == MOST:
                raise UsageError(f"a forking fake can have {MOST} rules and queues of replies, and has them already")
            self._count += 1
            return self._count - 1

    def take(self, counter: int, limit: int | None = None) -> int | None:
        """Return the next number, from 0, or None if that would be `limit`."""
        with self._lock if self._shared is None else self._shared:
            number: int = self._numbers[counter]
            if limit is not None and number >= limit:
                return None
            self._numbers[counter] = number + 1
            return number

    def taken(self, counter: int) -> int:
        """Return how many numbers were taken."""
        with self._lock:
            count: int = self._numbers[counter]
            return count

    def begin_again(self) -> None:
        """Set all counters to 0."""
        with self._lock if self._shared is None else self._shared:
            for counter in range(len(self._numbers) if self._shared is None else self._count):
                self._numbers[counter] = 0

    def drop(self, count: int) -> None:
        """Remove all counters but the first `count`; no process uses the others any more."""
        with self._lock:
            if self._shared is None:
                del self._numbers[count:]
            for counter in range(count, self._count if self._shared is not None else count):
                self._numbers[counter] = 0
            self._count = count

    @property
    def count(self) -> int:
        """How many counters there are."""
        return self._count

    def close(self) -> None:
        """Release the descriptor and the memory; the numbers can still be read."""
        with self._lock:
            if self._shared is not None:
                self._numbers = list(self._numbers[: self._count])
                self._shared.close()
                self._shared = None

    def after_fork_in_child(self) -> None:
        """Replace the lock: a thread that does not exist here may hold it."""
        self._lock = threading.Lock()
