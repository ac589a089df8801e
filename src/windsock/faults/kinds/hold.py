"""Hold: everything waits until the test releases it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.context import FaultContext
from windsock.faults.fault import Fault
from windsock.faults.items import Item, Tick
from windsock.faults.stages import Stage

__all__ = ["Hold"]


@dataclass(frozen=True, slots=True, repr=False)
class Hold(Fault):
    """Hold data, datagrams and ends until the test releases them.

    `handle.deliver(n)` lets the next `n` items continue in each direction, held ones first, then new ones, in order;
    `handle.release()` lets all continue, later ones too. With a selector, a stream's first selected item also stops
    everything after it.
    """

    chain_stage: ClassVar[Stage] = Stage.DELAY
    chain_order: ClassVar[int] = 30
    holds: ClassVar[bool] = True

    def begin(self, context: FaultContext) -> list[int]:
        """Return the number of items that have continued."""
        return [context.credit]

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the items that may continue."""
        if not isinstance(item, Tick):
            context.fire("held {}", type(item).__name__)
            context.hold(item)
        return self._free(context)

    def passes(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return an item that was not selected; on a stream, behind the held items."""
        if not (context.held and context.is_stream):
            return (item,)
        context.hold(item)
        return self._free(context)

    def _free(self, context: FaultContext) -> Iterable[Item]:
        if context.is_released:
            return context.take_held()
        free = context.take_held(max(0, context.credit - context.state[0]))
        context.state[0] += len(free)
        return free
