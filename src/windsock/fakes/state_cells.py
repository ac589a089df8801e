"""The state that each connection or client is in, as a number, in memory that forked children share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from windsock.errors import UsageError
from windsock.fakes.shared_numbers import SharedNumbers
from windsock.net.system import threading
from windsock.servers.fork_hooks import renew_in_children

__all__ = ["StateCells"]

MOST = 8 * 1024
"""The most connections or clients across processes that are in another state than the first one."""


class StateCells:
    """A number for each key (a connection's index, a client's address), 0 at first.

    With `across_processes` forked children share them: in a table of pairs, each a hash of the key and its number.
    """

    def __init__(self, *, across_processes: bool) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[int, int] = {}
        self._shared: SharedNumbers | None = None
        if across_processes:
            self._shared = SharedNumbers(2 * MOST, "states that forked children share")
            renew_in_children(self)

    def now(self, key: object) -> int:
        """Return the number of a key."""
        with self._lock if self._shared is None else self._shared:
            return self._read(_hash(key))

    def change(self, key: object, expected: int, decide: Callable[[], int | None]) -> bool:
        """If the number is still as expected, call a function and store what it returns, unless that is None.

        No other thread or process changes a number meanwhile. Return whether the number was as expected.
        """
        known = _hash(key)
        with self._lock if self._shared is None else self._shared:
            if self._read(known) != expected:
                return False
            number = decide()
            if number is not None:
                self._write(known, number)
            return True

    def keep(self, keys: Iterable[object]) -> None:
        """Set all numbers to 0 but those of these keys."""
        with self._lock if self._shared is None else self._shared:
            kept = {known: number for each in keys if (number := self._read(known := _hash(each)))}
            if self._shared is None:
                self._numbers = kept
                return
            for place, number in enumerate(list(self._shared.values)):
                if number:
                    self._shared.values[place] = 0
            for known, number in kept.items():
                self._write(known, number)

    def close(self) -> None:
        """Release the memory; the numbers can still be read."""
        shared = self._shared
        if shared is not None:
            with shared as values:
                pairs = list(values)
            self._numbers = {key: number for key, number in zip(pairs[::2], pairs[1::2], strict=True) if key}
            self._shared = None
            shared.close()

    def after_fork_in_child(self) -> None:
        """Replace the lock: a thread that does not exist here may hold it."""
        self._lock = threading.Lock()

    def _read(self, key: int) -> int:
        if self._shared is None:
            return self._numbers.get(key, 0)
        number: int = self._shared.values[_place(self._shared.values, key) + 1]
        return number

    def _write(self, key: int, number: int) -> None:
        if self._shared is None:
            self._numbers[key] = number
            return
        place = _place(self._shared.values, key)
        self._shared.values[place + 1] = number
        self._shared.values[place] = key


def _hash(key: object) -> int:
    """Return a number that is the same in all processes; 0 is that of an empty place."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest()) or 1


def _place(values: Any, key: int) -> int:
    """Return where the pair of a key is in the table, or the empty place for it."""
    first = key % MOST
    for step in range(MOST):
        place = 2 * ((first + step) % MOST)
        if values[place] in (0, key):
            return place
    raise UsageError(f"a forking fake can keep the states of {MOST} connections or clients, and keeps them already")
