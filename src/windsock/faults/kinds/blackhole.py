"""Blackhole: for a time nothing arrives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from windsock.errors import UsageError
from windsock.faults.checks import count, seconds
from windsock.faults.context import NEVER, FaultContext
from windsock.faults.fault import Fault
from windsock.faults.items import Data, Datagram, Item, at_time
from windsock.faults.stages import Stage

__all__ = ["Blackhole"]


@dataclass(frozen=True, slots=True, repr=False)
class Blackhole(Fault):
    """Nothing arrives, and neither end gets an error, until the fault is healed or its schedule ends the outage.

    The schedule: `on` seconds of outage, `off` seconds without, and so on, for `repeat` outages (None: no limit if
    `off` is set, else one). It starts when the fault meets the connection, plus the selector's `after`. Stream data
    sent during an outage is held and arrives afterwards, in order, as with TCP's retransmissions; with `discard=True`
    the bytes are lost (ends are not). Datagrams are lost. A selector about items chooses the item that starts it.
    """

    chain_stage: ClassVar[Stage] = Stage.DELAY
    chain_order: ClassVar[int] = 20

    on: float | None = None
    off: float | None = None
    repeat: int | None = None
    discard: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.on is not None:
            seconds(self, above=True, on=self.on)
        if self.off is not None:
            seconds(self, above=True, off=self.off)
        if self.repeat is not None:
            count(self, 1, repeat=self.repeat)
        if self.on is None and (self.off is not None or self.repeat is not None):
            raise UsageError(f"{self!r}: on=None: expected seconds of outage with off= and repeat=")
        if self.off is None and (self.repeat or 1) > 1:
            raise UsageError(f"{self!r}: off=None: expected seconds between {self.repeat} outages")

    def begin(self, context: FaultContext) -> list[float]:
        """Return when the schedule starts; with a selector about items, when a chosen item comes."""
        waits = context.selector.is_about_items or context.selector.probability is not None
        return [NEVER if waits else context.now + (context.selector.after or 0.0)]

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the item with the time when the outage ends, or nothing."""
        if context.state[0] == NEVER:
            context.state[0] = item.at
        return self.passes(item, context)

    def passes(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return an item, treated like a chosen one once the schedule has started: an outage affects both."""
        until = self.dark_until(item.at - context.state[0])
        if until == 0 or (context.is_used_up() and not context.held):
            return (item,)
        if isinstance(item, Datagram) or (self.discard and isinstance(item, Data)):
            context.fire("swallowed {} B", len(item.data))
            return ()
        if not context.is_used_up():
            context.fire("held {}", f"{len(item.data)} B" if isinstance(item, Data) else type(item).__name__)
        if until == NEVER:
            context.hold(item)
            return ()
        return (at_time(item, max(item.at, context.state[0] + until)),)

    def dark_until(self, passed: float) -> float:
        """Return when the outage at this offset into the schedule ends, in seconds; 0 if there is none."""
        if passed < 0:
            return 0.0
        if self.on is None:
            return NEVER
        if self.off is None:
            return self.on if passed < self.on else 0.0
        number = int(passed // (self.on + self.off))
        end = number * (self.on + self.off) + self.on
        return end if passed < end and (self.repeat is None or number < self.repeat) else 0.0
