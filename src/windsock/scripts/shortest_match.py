"""The shortest run of bytes, from the first one, that a pattern or a predicate accepts. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["most_of", "shortest"]

MOST = 16 * 1024
"""The number of bytes that are searched for a run..."""
MOST_ONE_BY_ONE = 4 * 1024
"""...and if each length has to be tried."""

LOOKS_AHEAD = re.compile(rb"\$|\\[bBZ]|\(\?[=!>]|[*+?}]\+")
"""Syntax that depends on what follows a run, or that can reject a longer run where a shorter one matches: ends, word
boundaries, lookaheads, atomic groups, possessive repetitions. It may also match where it has another meaning."""


def most_of(what: re.Pattern[bytes] | Callable[[bytes], object]) -> int:
    """Return the number of bytes that are searched for a run."""
    looks_ahead = isinstance(what, re.Pattern) and LOOKS_AHEAD.search(what.pattern)
    return MOST_ONE_BY_ONE if looks_ahead else MOST


def shortest(what: re.Pattern[bytes] | Callable[[bytes], object], data: bytes, tried: int) -> int | None:
    """Return the least size, more than `tried`, of a run that is accepted in full, or None."""
    if not isinstance(what, re.Pattern):
        return next((size for size in range(tried + 1, len(data) + 1) if what(data[:size])), None)
    if LOOKS_AHEAD.search(what.pattern):
        return next((size for size in range(tried + 1, len(data) + 1) if what.fullmatch(data, 0, size)), None)
    return _first_end(what, data, tried)


def _first_end(pattern: re.Pattern[bytes], data: bytes, tried: int) -> int | None:
    """Find the size by bisection: a match within a run is also within each longer one, as nothing after it matters."""
    found = pattern.match(data)
    if found is None:
        return None
    low, high = tried, found.end()  # a run of `low` bytes holds no match, one of `high` bytes does
    while high - low > 1:
        middle = (low + high) // 2
        found = pattern.match(data, 0, middle)
        if found is None:
            low = middle
        else:
            high = found.end()
    return high
