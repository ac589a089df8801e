"""Checks of the values that faults take, and their error messages."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable
from typing import Any

from windsock.errors import UsageError

__all__ = ["bytes_of", "code_of", "count", "one_of", "probability", "seconds"]

LARGEST = sys.float_info.max


def wrong(where: object, name: str, value: object, expected: str) -> UsageError:
    """Return the error for an invalid value."""
    return UsageError(f"{_named(where)}: {name}={value!r}: expected {expected}")


def _named(where: object) -> str:
    return where if isinstance(where, str) else type(where).__name__


def is_number(value: object) -> bool:
    """Return whether a value is a finite number; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def seconds(where: object, *, above: bool = False, **values: Any) -> None:
    """Check times: finite numbers from 0, or `above` 0."""
    for name, value in values.items():
        if not is_number(value) or value < 0 or (above and value == 0):
            least = "above 0" if above else "from 0 up"
            raise wrong(where, name, value, f"seconds, a number {least} (0.2 is 200 ms)")


def probability(where: object, **values: Any) -> None:
    """Check probabilities: numbers from 0 to 1."""
    for name, value in values.items():
        if not is_number(value) or not 0 <= value <= 1:
            raise wrong(where, name, value, "a probability from 0 to 1 (10 % is 0.1)")


def count(where: object, least: int = 0, unit: str = "", **values: Any) -> None:
    """Check whole numbers from `least` up."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise wrong(where, name, value, f"a whole number{' of ' + unit if unit else ''}, {least} or more")


def optional_count(where: object, least: int = 0, unit: str = "", **values: Any) -> None:
    """Check whole numbers from `least` up, or None."""
    count(where, least, unit, **{name: value for name, value in values.items() if value is not None})


def one_of(where: object, known: Iterable[str], **values: Any) -> None:
    """Check that values are known words."""
    known = tuple(known)
    for name, value in values.items():
        if value not in known:
            raise wrong(where, name, value, "one of " + ", ".join(map(repr, known)))


def bytes_of(where: object, least: int = 1, **values: Any) -> None:
    """Check byte strings of at least `least` bytes."""
    for name, value in values.items():
        if not isinstance(value, bytes) or len(value) < least:
            raise wrong(where, name, value, "bytes" + (", not empty" if least else ""))


def code_of(where: object, name: str) -> int:
    """Return the number of an errno name; raise UsageError if this system does not define it."""
    value = getattr(errno, str(name), None) if str(name).isupper() else None
    if not isinstance(value, int):
        raise wrong(where, "errno", name, "a name of errno(3), such as 'EMFILE', 'ENOBUFS' or 'ECONNABORTED'")
    return value
