"""Schedules of faults as a strategy: what goes wrong, and where, as the value that `faults=` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from windsock.faults.checks import count
from windsock.strategies.engine import st
from windsock.strategies.faults import FEW, Placed, numbers_from, placed_faults
from windsock.strategies.selectors import selectors

if TYPE_CHECKING:
    from collections.abc import Collection

    from hypothesis.strategies import SearchStrategy

__all__ = ["Schedule", "weather"]

Schedule: TypeAlias = list[Placed]
"""Faults, each with the keywords of its selector. The repr is code."""


def weather(
    *,
    streams: bool = True,
    most: int = 3,
    connections: int = 3,
    largest: int = 64,
    offsets: Collection[int] = (),
    slowest: float = 0.25,
    damage: bool = False,
) -> SearchStrategy[Schedule]:
    """Draw up to `most` faults, each with the keywords of its selector: a list, as `serving(faults=...)` takes it.

    A smaller example has fewer faults, milder kinds, the first connection, fewer bytes before a fault acts; the
    smallest one has no fault. The other keywords are those of `faults()` and `selectors()`. Run an example in a
    `with windsock.under(weather, server)`. Raises UsageError.
    """
    count("weather", 1, "faults", most=most)
    places = selectors(connections=connections)
    numbers = numbers_from(largest, offsets) if streams else numbers_from(FEW)
    kinds = placed_faults(numbers, streams=streams, slowest=slowest, damage=damage)
    pairs = st.builds(lambda placed, where: (placed[0], {**where, **placed[1]}), kinds, places)
    return st.one_of(st.lists(pairs, max_size=1), st.lists(pairs, max_size=most))
