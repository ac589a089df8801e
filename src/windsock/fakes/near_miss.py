"""Near misses: which patterns a message came closest to, and where it differs. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

from windsock.fakes import patterns
from windsock.fakes.patterns import Pattern
from windsock.protocols.message_pattern import MessagePattern
from windsock.recording import Framing, preview
from windsock.redaction import masked
from windsock.scripts.matching import first_difference
from windsock.scripts.repr import code_of

__all__ = ["MOST", "Miss", "difference", "miss", "nearest"]

MOST = 3
"""The most patterns that a message names."""
COMPARED = 256
"""The most bytes of both sides that are compared."""
LONGEST = 200
"""The most bytes of a regular expression whose beginnings are tried."""


@dataclass(frozen=True, slots=True)
class Miss:
    """How a message missed a pattern: `common` bytes matched; `likeness` is from 0 to 1, of messages as values to 2."""

    why: str
    common: int = 0
    likeness: float = 0.0


def nearest(misses: Iterable[tuple[str, Miss]]) -> list[str]:
    """Return the closest misses, one a line: the rule and why it did not match."""
    ordered = sorted(misses, key=lambda pair: (-pair[1].common, -pair[1].likeness))
    return [f"{what}: {each.why}" for what, each in ordered[:MOST]]


def miss(pattern: Pattern, message: bytes, framing: Framing | None, *, is_whole: bool) -> Miss:
    """Return how a message misses a pattern; one that is not whole must start with the pattern."""
    if isinstance(pattern, bytes):
        both = (_of_bytes(pattern, message), _of_bytes(pattern, patterns.body(framing, message)))
        return max(both, key=lambda each: (each.common, each.likeness))
    if isinstance(pattern, re.Pattern):
        return _of_regex(pattern, message, is_at_start=not is_whole)
    if isinstance(pattern, MessagePattern):
        words, differs = pattern.compared(message)
        return Miss(pattern.why_not(message), likeness=bool(differs) + _likeness(repr(pattern), words))
    return Miss("returned false")


def _of_bytes(pattern: bytes, message: bytes) -> Miss:
    offset, why = difference(pattern, message)
    return Miss(why, offset, _likeness(pattern, message))


def difference(pattern: bytes, message: bytes) -> tuple[int, str]:
    """Return the first byte at which a message differs from what was expected, and how, in words."""
    offset = first_difference(pattern, message)
    if offset == len(message):
        return offset, f"the message ends at byte {offset}, {preview(masked(pattern)[offset:])} is missing"
    if offset == len(pattern):
        return offset, f"the message continues at byte {offset} with {preview(masked(message)[offset:])}"
    return offset, f"byte {offset} is {message[offset : offset + 1]!r}, expected {pattern[offset : offset + 1]!r}"


def _of_regex(pattern: re.Pattern[bytes], message: bytes, *, is_at_start: bool) -> Miss:
    """Find the longest beginning of the expression that matches; the part after it does not."""
    for size in range(min(len(pattern.pattern) - 1, LONGEST), 0, -1):
        found = _match_of(pattern.pattern[:size], pattern.flags, message, is_at_start=is_at_start)
        if found is not None and found.end() > found.start():
            start, end = found.span()
            begun = f"{code_of(pattern.pattern[:size])} matches bytes {start} to {end - 1}"
            return Miss(f"{begun}, {_what_follows(message, end)}", end - start)
    where = "at its beginning" if is_at_start else "anywhere"
    return Miss(f"no part of it was found {where}")


def _match_of(part: bytes, flags: int, message: bytes, *, is_at_start: bool) -> re.Match[bytes] | None:
    try:
        expression = re.compile(part, flags)
    except Exception:  # a part may be no valid expression, or cause a warning
        return None
    return expression.match(message) if is_at_start else expression.search(message)


def _what_follows(message: bytes, end: int) -> str:
    if end == len(message):
        return "where the message ends"
    return f"and what follows does not, from byte {end}, {message[end : end + 1]!r}, on"


def _likeness(one: str | bytes, other: str | bytes) -> float:
    return SequenceMatcher(None, one[:COMPARED], other[:COMPARED], autojunk=False).ratio()
