"""What the faults of one weather did, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windsock.faults import Weather

__all__ = ["report_of"]

FIRST, LAST = 20, 30
"""Lines of a report that are kept when there are more."""


def report_of(weather: Weather) -> list[str]:
    """Return the seed and the log of all faults, a line a firing, the middle left out if it is long."""
    log, unfired = weather.log, weather.unfired
    if not log and not unfired:
        return []
    start = log[0].at if log else 0.0
    lines = [f"+{firing.at - start:.4f} {firing}" for firing in log]
    if len(lines) > FIRST + LAST:
        lines = [*lines[:FIRST], f"... {len(lines) - FIRST - LAST} more firings ...", *lines[-LAST:]]
    return [f"seed {weather.seed}", *lines, *(f"never fired: {each.fault!r}" for each in unfired)]
