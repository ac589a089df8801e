"""Reports on what the faults of one fault set did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from windsock.faults.never_fired import why_unfired

if TYPE_CHECKING:
    from windsock.faults import FaultHandle, FaultSet, Firing

__all__ = ["FaultReports"]

FIRST, LAST = 20, 30
"""The number of lines kept at each end of a long report."""


class FaultReports:
    """The methods of a server or proxy that report what its faults did."""

    @property
    def _reported_faults(self) -> FaultSet | None:
        """The faults; None if there was none. Must be overridden."""
        raise NotImplementedError

    @property
    def firings(self) -> list[Firing]:
        """The firings of the faults, in order of time; of each fault at most the latest 10,000 firings."""
        return [] if self._reported_faults is None else self._reported_faults.log

    @property
    def fault_handles(self) -> tuple[FaultHandle, ...]:
        """The handles of all its faults, healed ones too."""
        return () if self._reported_faults is None else self._reported_faults.all_handles

    def fault_report(self) -> list[str]:
        """Return the seed and the firings, one line each, bounded in length; nothing without faults."""
        return [] if self._reported_faults is None else _report_of(self._reported_faults)

    def fault_summary(self) -> list[str]:
        """Return the seed, and a line for each fault that has never fired; nothing without faults."""
        return [] if self._reported_faults is None else _summary_of(self._reported_faults)

    def unrecorded_firings(self) -> list[Firing]:
        """Return what faults did to the listener; the rest is recorded with connections and datagrams."""
        return [each for each in self.firings if each.connection is None]


def _report_of(fault_set: FaultSet) -> list[str]:
    """Return the seed and the log of all faults, one firing a line; the middle of a long log is left out."""
    log = fault_set.log
    start = log[0].at if log else 0.0
    lines = [f"+{firing.at - start:.4f} {firing}" for firing in log]
    if len(lines) > FIRST + LAST:
        lines = [*lines[:FIRST], f"... {len(lines) - FIRST - LAST} more firings ...", *lines[-LAST:]]
    summary = _summary_of(fault_set)
    return [*summary[:1], *lines, *summary[1:]]


def _summary_of(fault_set: FaultSet) -> list[str]:
    """Return the seed, and a line for each fault that has never fired; nothing without faults."""
    unfired = fault_set.unfired
    if not fault_set.log and not unfired:
        return []
    return [f"seed {fault_set.seed}", *map(_unfired_line, unfired)]


def _unfired_line(handle: FaultHandle) -> str:
    because = why_unfired(handle)
    return f"never fired: {handle.fault!r}" + (f"; {because}" if because else "")
