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
    """Nothing arrives, and neither end gets an error, until the fault is healed or its schedule lets go.

    A schedule: dark for `on` seconds, light for `off`, and so on, `repeat` times dark (None: for ever, if there is an
    `off`; else once). It begins when the fault meets the link, plus the selector's `after`. What a stream sends in the
    dark is held and arrives when it is over, in order, as TCP's retransmissions would bring it; with `discard=True` its
    bytes are lost (the ends are not). Datagrams are lost. A selector about items says which item brings the dark down.
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
            raise UsageError(f"{self!r}: on=None: expected seconds of dark with off= and repeat=")
        if self.off is None and (self.repeat or 1) > 1:
            raise UsageError(f"{self!r}: off=None: expected seconds of light between {self.repeat} times of dark")

    def begin(self, context: FaultContext) -> list[float]:
        """Return when the schedule begins: when a chosen item comes, if the selector is about items."""
        waits = context.selector.is_about_items or context.selector.probability is not None
        return [NEVER if waits else context.now + (context.selector.after or 0.0)]

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return it when the dark is over, or nothing."""
        if context.state[0] == NEVER:
            context.state[0] = item.at
        return self.passes(item, context)

    def passes(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return an item that comes once the schedule has begun as one that was chosen: it is as dark for both."""
        until = self.dark_until(item.at - context.state[0])
        if until == 0 or (context.handle.is_used_up() and not context.held):
            return (item,)
        if isinstance(item, Datagram) or (self.discard and isinstance(item, Data)):
            context.fire("swallowed {} B", len(item.data))
            return ()
        if not context.handle.is_used_up():
            context.fire("held {}", f"{len(item.data)} B" if isinstance(item, Data) else type(item).__name__)
        if until == NEVER:
            context.hold(item)
            return ()
        return (at_time(item, max(item.at, context.state[0] + until)),)

    def dark_until(self, passed: float) -> float:
        """Return when the dark phase at this offset into the schedule, in seconds, ends; 0 in a light phase."""
        if passed < 0:
            return 0.0
        if self.on is None:
            return NEVER
        if self.off is None:
            return self.on if passed < self.on else 0.0
        number = int(passed // (self.on + self.off))
        end = number * (self.on + self.off) + self.on
        return end if passed < end and (self.repeat is None or number < self.repeat) else 0.0
