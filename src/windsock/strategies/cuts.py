"""Cuts of a stream as a strategy: the sizes of the pieces in which data is sent."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from windsock.faults.checks import count
from windsock.strategies.engine import st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["cuts", "pieces"]

MOST = 8
"""The cuts of one message, by default."""


def cuts(data: bytes | int, *, most: int = MOST) -> SearchStrategy[tuple[int, ...]]:
    """Draw the sizes of pieces of `data` (bytes, or their number), in which `send(data, pieces=...)` sends them.

    There are up to `most` cuts; a smaller example has fewer, and nearer to the start. Raises UsageError for no data.
    """
    size = len(data) if isinstance(data, bytes) else data
    count("cuts", 1, "bytes", data=size)
    count("cuts", 1, "cuts", most=most)
    return pieces(size, most=most)


def pieces(size: int, *, least: int = 0, most: int = MOST) -> SearchStrategy[tuple[int, ...]]:
    """Draw the sizes of pieces with at least `least` and at most `most` cuts between them."""
    if size == 1:
        return st.just((1,))
    edges = st.lists(st.integers(1, size - 1), min_size=least, max_size=most, unique=True)
    return edges.map(lambda places: tuple(end - start for start, end in pairwise((0, *sorted(places), size))))
