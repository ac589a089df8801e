"""Patterns: whether a message, or received data, matches what a rule waits for. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from windsock.errors import UsageError
from windsock.protocols.message_pattern import MessagePattern
from windsock.protocols.values import as_bytes
from windsock.recording import Delimiter, Framing, LengthPrefix, Lines, ProtocolFraming
from windsock.scripts.matching import first_difference

__all__ = [
    "Pattern",
    "begins",
    "body",
    "checked",
    "decisive",
    "describe",
    "first_start",
    "match_message",
    "match_start",
    "would_match",
]

Pattern: TypeAlias = bytes | re.Pattern[bytes] | Callable[[bytes], object]
"""Bytes, a compiled regular expression over bytes, or a predicate."""


def checked(pattern: object) -> Pattern:
    """Return a pattern. Raises UsageError if it is not one."""
    if isinstance(pattern, bytes | bytearray):
        if not pattern:
            raise UsageError("on(b''): an empty pattern matches nothing that could arrive; pass the bytes to expect")
        return bytes(pattern)
    if isinstance(pattern, re.Pattern):
        if isinstance(pattern.pattern, bytes):
            return pattern
        raise UsageError(f"on({pattern!r}): expected a pattern over bytes, as in re.compile(rb'...')")
    if getattr(pattern, "is_answer", False):
        raise UsageError(f"on({pattern!r}): that is an answer; pass the call or message that it is for")
    if not isinstance(pattern, MessagePattern) and (data := as_bytes(pattern)) is not None:
        return data
    if callable(pattern):
        return pattern
    raise UsageError(f"on({pattern!r}): expected bytes, a compiled regular expression over bytes, or a predicate")


def describe(pattern: Pattern) -> str:
    """Return the pattern as a test would write it."""
    if isinstance(pattern, re.Pattern):
        return f"re.compile({pattern.pattern!r})"
    return repr(pattern)


def body(framing: Framing | None, message: bytes) -> bytes:
    """Return the message without its delimiter, length prefix or the frame of its protocol."""
    if isinstance(framing, Lines):
        return message.rstrip(b"\r\n")
    if isinstance(framing, Delimiter):
        return message.removesuffix(framing.delimiter)
    if isinstance(framing, LengthPrefix):
        return message[framing.size :]
    if isinstance(framing, ProtocolFraming):
        return framing.protocol.body(message)
    return message


def match_message(pattern: Pattern, message: bytes, framing: Framing | None) -> bool:
    """Return whether a whole message matches.

    Bytes must equal it, with or without its frame; an expression must be found in it; a predicate must accept it.
    """
    if isinstance(pattern, bytes):
        return pattern in (message, body(framing, message))
    if isinstance(pattern, re.Pattern):
        return pattern.search(message) is not None
    return bool(pattern(message))


def match_start(pattern: Pattern, arrived: bytes) -> int:
    """Return how many of the received bytes match, from the first one on; 0 if they do not."""
    if isinstance(pattern, bytes):
        return len(pattern) if arrived.startswith(pattern) else 0
    if isinstance(pattern, re.Pattern):
        found = pattern.match(arrived)
        return found.end() if found else 0
    return len(arrived) if pattern(arrived) else 0


def begins(pattern: Pattern, arrived: bytes) -> bool:
    """Return whether the received bytes are only the start of the pattern, so that the next ones decide."""
    return isinstance(pattern, bytes) and len(arrived) < len(pattern) and pattern.startswith(arrived)


def first_start(pattern: Pattern, arrived: bytes, start: int) -> int:
    """Return the first offset, from `start` on, at which these bytes are, or may start; the length if there is none."""
    if not isinstance(pattern, bytes):
        return len(arrived)
    found = arrived.find(pattern, start)
    if found >= 0:
        return found
    tail = range(max(start, len(arrived) - len(pattern) + 1), len(arrived))
    return next((offset for offset in tail if pattern.startswith(arrived[offset:])), len(arrived))


def decisive(pattern: Pattern, arrived: bytes) -> int:
    """Return how many received bytes it takes to decide whether they match."""
    return min(len(pattern), 1 + first_difference(pattern, arrived)) if isinstance(pattern, bytes) else 1


def would_match(pattern: Pattern, begun: bytes, framing: Framing | None) -> bool:
    """Return whether a message with this start may match once it is complete. Predicates are not called."""
    ends = [b""]
    if isinstance(framing, Lines):
        ends = [b"\n", b"\r\n"]
    elif isinstance(framing, Delimiter):
        delimiter = framing.delimiter
        ends = [delimiter[size:] for size in range(len(delimiter)) if begun.endswith(delimiter[:size])]
    if isinstance(pattern, bytes) and (begins(pattern, begun) or begins(pattern, body(framing, begun) or begun)):
        return True
    return not callable(pattern) and any(match_message(pattern, begun + end, framing) for end in ends)


def unanswered(known: Sequence[Pattern], arrived: bytes, *, has_echo: bool) -> int:
    """Return how many bytes none of the patterns answers, however they were cut.

    An echo ends where the bytes of a rule may start. Unexpected data ends with the first byte that fits no rule.
    """
    if has_echo:
        return min(first_start(each, arrived, 1) for each in known)
    return min(len(arrived), max(decisive(each, arrived) for each in known))
