"""Reports on what the faults of one fault set did."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windsock.faults import FaultSet, Firing

__all__ = ["report_of", "with_firings"]

FIRST, LAST = 20, 30
"""The number of lines kept at each end of a long report."""


def report_of(fault_set: FaultSet) -> list[str]:
    """Return the seed and the log of all faults, one firing a line; the middle of a long log is left out."""
    log, unfired = fault_set.log, fault_set.unfired
    if not log and not unfired:
        return []
    start = log[0].at if log else 0.0
    lines = [f"+{firing.at - start:.4f} {firing}" for firing in log]
    if len(lines) > FIRST + LAST:
        lines = [*lines[:FIRST], f"... {len(lines) - FIRST - LAST} more firings ...", *lines[-LAST:]]
    return [f"seed {fault_set.seed}", *lines, *(f"never fired: {each.fault!r}" for each in unfired)]


def with_firings(lines: list[str], fault_set: FaultSet, start: float) -> list[str]:
    """Return a transcript of datagrams with the firings of faults inserted; their connections are clients."""
    log = fault_set.log
    shown = log if len(log) <= FIRST + LAST else [*log[:FIRST], *log[-LAST:]]
    firings = [f"{firing.at - start:+.4f} client #{firing.connection} ~ fault: {_words(firing)}" for firing in shown]
    return sorted([*lines, *firings], key=_time_of) if firings else lines


def _words(firing: Firing) -> str:
    return f"{firing.fault} {firing.direction}: {firing.what}"


def _time_of(line: str) -> float:
    word = line.partition(" ")[0]
    try:
        return float(word)
    except ValueError:  # the line with the number of firings left out
        return math.inf
