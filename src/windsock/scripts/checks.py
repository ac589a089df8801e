"""Checks of the values that steps take."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, SupportsBytes, TypeAlias

from windsock.errors import UnknownKeyword, UsageError
from windsock.net.deadlines import is_seconds
from windsock.protocols.message_pattern import MessagePattern
from windsock.protocols.values import as_bytes

__all__ = [
    "Expected",
    "MessageFraming",
    "check_count",
    "check_keywords",
    "check_seconds",
    "checked_bytes",
    "checked_pattern",
    "wanted",
]

Expected: TypeAlias = bytes | SupportsBytes | re.Pattern[bytes] | Callable[[bytes], object]
"""Bytes, a message of a protocol, a compiled regular expression over bytes, or a predicate."""


class MessageFraming:
    """Base of framings: called with bytes, they return the size of the first message, or None if it is unknown yet."""

    __slots__ = ()

    def is_datagram(self: Any, data: bytes) -> bool:
        """Return whether a datagram is one message."""
        return bool(self(data) == len(data))


def checked_bytes(method: str, data: object) -> bytes:
    """Return a value as bytes. Raises UsageError if it is not bytes-like."""
    found = as_bytes(data)
    if found is None:
        raise UsageError(f"{method}({data!r}): {wanted(data)}")
    return found


def wanted(given: object) -> str:
    """Return, in words, what a test should send instead of something that has no bytes."""
    if isinstance(given, MessagePattern):
        return "that is a pattern, which matches messages; expected a message, or bytes"
    return "expected bytes; encode text first"


def checked_pattern(what: object) -> Expected:
    """Return a value that can be expected. Raises UsageError for any other."""
    if not isinstance(what, MessagePattern) and (data := as_bytes(what)) is not None:
        return data
    if isinstance(what, re.Pattern):
        if not isinstance(what.pattern, bytes):
            raise UsageError(f"expect({what!r}): expected a pattern over bytes, as in re.compile(rb'...')")
        return what
    if callable(what):
        return what
    raise UsageError(
        f"expect({what!r}): expected bytes, a compiled regular expression over bytes, a predicate, "
        "a framing, or a number of bytes"
    )


def check_count(where: str, value: Any) -> None:
    """Raise UsageError if a value is not a whole number from 1 up."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"{where}: expected a whole number, 1 or more")


def check_keywords(call: str, given: Mapping[str, object], known: Any) -> None:
    """Raise UnknownKeyword, a TypeError as Python's own, for a keyword that a TypedDict does not have."""
    names = known.__required_keys__ | known.__optional_keys__
    for name in given:
        if name not in names:
            raise UnknownKeyword(call, name, names)


def check_seconds(where: str, value: Any, *, or_none: bool = False, unit: str = "seconds") -> None:
    """Raise UsageError if a value is not a finite, positive number; `or_none` allows 0."""
    if not is_seconds(value) or (value == 0 and not or_none):
        least = "0 or more" if or_none else "more than 0"
        raise UsageError(f"{where}: expected {unit}, {least}")
