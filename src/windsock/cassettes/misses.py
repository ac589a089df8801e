"""The recorded request that came closest to what a client has sent, and where the two differ."""

from __future__ import annotations

from collections.abc import Sequence

from windsock.cassettes.cassette import Cassette
from windsock.cassettes.errors import NearestLine
from windsock.cassettes.line import CassetteLine
from windsock.cassettes.matching import Matching

__all__ = ["nearest"]

MOST = 1000
"""The most recorded requests that are compared."""


def nearest(
    cassette: Cassette, matching: Matching, received: bytes, candidates: Sequence[tuple[int, CassetteLine]]
) -> NearestLine | None:
    """Return the miss of the request that shares the most bytes at the beginning; None without candidates.

    `candidates` are lines with their offsets in the file.
    """
    misses = [(at, line, *matching.expected(line.message).miss(received)) for at, line in candidates[:MOST]]
    if not misses:
        return None
    at, line, offset, why = max(misses, key=lambda each: each[2])
    return NearestLine(cassette.line_number(at), offset, line.message.data, why)
