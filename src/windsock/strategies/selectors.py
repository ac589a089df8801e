"""Selectors as a strategy: the keywords that say where a fault acts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from windsock.faults.checks import count
from windsock.strategies.engine import st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["selectors"]


DIRECTIONS = ("downstream", "upstream")


def selectors(*, connections: int = 3) -> SearchStrategy[dict[str, Any]]:
    """Draw the keywords of a selector: one of the first `connections` connections, or all, and a direction.

    A smaller example is about one connection, the first one, and about what the server sends. Raises UsageError.
    """
    count("selectors", 1, "connections", connections=connections)
    one = [{"connections": connection} for connection in range(connections)]
    return st.sampled_from([{**where, "direction": each} for where in (*one, {}) for each in DIRECTIONS]).map(dict)
