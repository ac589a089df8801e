"""Reorder: later datagrams overtake a datagram."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from windsock.errors import UsageError
from windsock.faults.checks import count, probability, seconds
from windsock.faults.context import NEVER, FaultContext
from windsock.faults.fault import DATAGRAM, Fault
from windsock.faults.items import Datagram, Item, Tick
from windsock.faults.stages import Stage

__all__ = ["Reorder"]


class Overtaking:
    """Counters of one direction: datagrams so far, and those that have yet to overtake the held one."""

    __slots__ = ("come", "to_pass")

    def __init__(self) -> None:
        self.come = self.to_pass = 0


@dataclass(frozen=True, slots=True, repr=False)
class Reorder(Fault):
    """Every `gap`-th datagram, or each with `probability`, arrives after the `by` datagrams that follow it.

    If they do not come, it waits for at most `patience` seconds. Only one is held at a time. (In tc-netem(8), chosen
    datagrams overtake all delayed ones; this fault needs no Delay.)
    """

    chain_stage: ClassVar[Stage] = Stage.MODIFY
    chain_order: ClassVar[int] = 40
    applies_to: ClassVar[frozenset[str]] = DATAGRAM

    gap: int | None = field(default=None, kw_only=True)
    probability: float | None = field(default=None, kw_only=True)
    by: int = field(default=1, kw_only=True)
    patience: float = field(default=0.1, kw_only=True)

    def __post_init__(self) -> None:
        if (self.gap is None) == (self.probability is None):
            raise UsageError(
                f"{self!r}: expected either gap= (the number of datagrams from one to the next) or probability="
            )
        if self.gap is not None:
            count(self, 1, "datagrams", gap=self.gap)
        else:
            probability(self, probability=self.probability)
        count(self, 1, "datagrams", by=self.by)
        seconds(self, patience=self.patience)

    def begin(self, context: FaultContext) -> Overtaking:  # noqa: ARG002  # the contract of faults
        """Return fresh counters."""
        return Overtaking()

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the datagram, and one that it overtook, or hold it."""
        if isinstance(item, Tick):
            return context.take_held()
        if not isinstance(item, Datagram):
            return (item,)
        line = context.state
        line.come += 1
        is_chosen = line.come % self.gap == 0 if self.gap else context.random.random() < (self.probability or 0.0)
        if context.held or not is_chosen:
            return self.passes(item, context)
        line.to_pass = self.by
        context.fire("held {} B, to be overtaken by {}", len(item.data), self.by)
        context.hold(item)
        context.wake_at = item.at + self.patience
        return ()

    def passes(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return an item that overtakes the held one, and the held one too if this was the last to overtake it."""
        if not (context.held and isinstance(item, Datagram)):
            return (item,)
        context.state.to_pass -= 1
        if context.state.to_pass:
            return (item,)
        context.wake_at = NEVER
        return (item, *context.take_held())
