"""Hold: everything waits for a word from the test."""

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

    `installed.deliver(n)` lets the next n of them go on each link, such as are held and then such as will come, in
    order; `installed.release()` all, also what comes later. With a selector, a stream's first chosen item stops all
    that follows.
    """

    chain_stage: ClassVar[Stage] = Stage.DELAY
    chain_order: ClassVar[int] = 30
    holds: ClassVar[bool] = True

    def begin(self, context: FaultContext) -> list[int]:
        """Return how many have been let go."""
        return [context.handle.credit]

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return what may go on."""
        if not isinstance(item, Tick):
            context.fire("held {}", type(item).__name__)
            context.hold(item)
        return self._free(context)

    def passes(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return an item that was not selected, but behind what is held of a stream."""
        if not (context.held and context.is_stream):
            return (item,)
        context.hold(item)
        return self._free(context)

    def _free(self, context: FaultContext) -> Iterable[Item]:
        if context.handle.is_released:
            return context.take_held()
        free = context.take_held(max(0, context.handle.credit - context.state[0]))
        context.state[0] += len(free)
        return free
