"""Interleavings of threads as a strategy: where a thread is pre-empted, as the value that `interleaving=` takes."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from windsock.faults.checks import count
from windsock.strategies.engine import st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["interleavings"]


EARLY = 20
"""The first steps, at which half of all points are."""


def interleavings(*, most: int = 3, steps: int = 100, threads: int = 3) -> SearchStrategy[list[tuple[int, int]]]:
    """Draw up to `most` points at which a thread is held back, as `simulated(interleaving=...)` takes them.

    Each is a pair: one of the first `steps` moments at which threads could take turns, and which of up to `threads`
    others goes on. A smaller example has fewer points, earlier ones, and the thread that has been ready for longest;
    in the smallest one threads run until they wait. Raises UsageError.
    """
    count("interleavings", 1, "points", most=most)
    count("interleavings", 1, "steps", steps=steps)
    count("interleavings", 1, "threads", threads=threads)
    step = st.one_of(st.integers(0, min(EARLY, steps) - 1), st.integers(0, steps - 1))
    points = st.tuples(step, st.integers(0, threads - 1))
    fewest = st.lists(points, max_size=1)  # most races need no more, and a longer list may not shrink to one
    return st.one_of(fewest, st.lists(points, max_size=most, unique_by=itemgetter(0)))
