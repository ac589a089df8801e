"""Patterns: whether a message, or the start of what has arrived, is the one a rule waits for. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from windsock.errors import UsageError
from windsock.recording import Delimiter, Framing, LengthPrefix, Lines

__all__ = ["Pattern", "body", "checked", "could_match", "describe", "match_message", "match_start"]

Pattern: TypeAlias = bytes | re.Pattern[bytes] | Callable[[bytes], object]
"""Bytes, a compiled regular expression over bytes, or a predicate."""


def checked(pattern: object) -> Pattern:
    """Return the pattern if it is one; raise UsageError if not."""
    if isinstance(pattern, bytes | bytearray):
        if not pattern:
            raise UsageError("on(b''): an empty pattern matches nothing that could arrive; say which bytes to expect")
        return bytes(pattern)
    if isinstance(pattern, re.Pattern):
        if isinstance(pattern.pattern, bytes):
            return pattern
        raise UsageError(f"on({pattern!r}): expected a pattern over bytes, as in re.compile(rb'...')")
    if callable(pattern):
        return pattern
    raise UsageError(f"on({pattern!r}): expected bytes, a compiled regular expression over bytes, or a predicate")


def describe(pattern: Pattern) -> str:
    """Return the pattern as a test would write it."""
    if isinstance(pattern, re.Pattern):
        return f"re.compile({pattern.pattern!r})"
    return repr(pattern)


def body(framing: Framing | None, message: bytes) -> bytes:
    """Return the message without what only tells it from the next one."""
    if isinstance(framing, Lines):
        return message.rstrip(b"\r\n")
    if isinstance(framing, Delimiter):
        return message.removesuffix(framing.delimiter)
    if isinstance(framing, LengthPrefix):
        return message[framing.size :]
    return message


def match_message(pattern: Pattern, message: bytes, framing: Framing | None) -> bool:
    """Return whether a whole message matches: is equal, with or without its frame; has a match; pleases."""
    if isinstance(pattern, bytes):
        return pattern in (message, body(framing, message))
    if isinstance(pattern, re.Pattern):
        return pattern.search(message) is not None
    return bool(pattern(message))


def match_start(pattern: Pattern, arrived: bytes) -> int:
    """Return how many of the bytes that have arrived match from the first one on; 0 if they do not."""
    if isinstance(pattern, bytes):
        return len(pattern) if arrived.startswith(pattern) else 0
    if isinstance(pattern, re.Pattern):
        found = pattern.match(arrived)
        return found.end() if found else 0
    return len(arrived) if pattern(arrived) else 0


def could_match(pattern: Pattern, arrived: bytes) -> bool:
    """Return whether more bytes could still make the start match."""
    return pattern.startswith(arrived) if isinstance(pattern, bytes) else True
