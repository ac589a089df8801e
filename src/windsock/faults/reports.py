"""Reports on what the faults of one fault set did."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windsock.faults import FaultSet

__all__ = ["report_of", "summary_of"]

FIRST, LAST = 20, 30
"""The number of lines kept at each end of a long report."""


def report_of(fault_set: FaultSet) -> list[str]:
    """Return the seed and the log of all faults, one firing a line; the middle of a long log is left out."""
    log = fault_set.log
    start = log[0].at if log else 0.0
    lines = [f"+{firing.at - start:.4f} {firing}" for firing in log]
    if len(lines) > FIRST + LAST:
        lines = [*lines[:FIRST], f"... {len(lines) - FIRST - LAST} more firings ...", *lines[-LAST:]]
    summary = summary_of(fault_set)
    return [*summary[:1], *lines, *summary[1:]]


def summary_of(fault_set: FaultSet) -> list[str]:
    """Return the seed, and a line for each fault that has never fired; nothing without faults."""
    unfired = fault_set.unfired
    if not fault_set.log and not unfired:
        return []
    return [f"seed {fault_set.seed}", *(f"never fired: {each.fault!r}" for each in unfired)]
