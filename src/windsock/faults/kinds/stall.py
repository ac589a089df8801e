"""Stall: the sender's data is no longer read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from windsock.faults import items
from windsock.faults.checks import optional_count
from windsock.faults.context import FaultContext
from windsock.faults.fault import STREAM
from windsock.faults.items import Item, Tick
from windsock.faults.point import PointFault
from windsock.faults.stages import Stage

__all__ = ["Stall"]


@dataclass(frozen=True, slots=True, repr=False)
class Stall(PointFault):
    """Stop reading from the sender, at once or as soon as `after_bytes` have passed: its kernel's buffer fills.

    Then its writes block. Nothing is lost: when the fault is healed or paused, everything continues.
    """

    chain_stage: ClassVar[Stage] = Stage.CLOSE
    chain_order: ClassVar[int] = 30
    applies_to: ClassVar[frozenset[str]] = STREAM

    after_bytes: int | None = None

    def __post_init__(self) -> None:
        optional_count(self, 0, "bytes", after_bytes=self.after_bytes)

    def happen(self, at: float, rest: tuple[Item, ...], context: FaultContext, ahead: int) -> Iterable[Item]:
        """Return an item that stops reading."""
        context.fire("reads no more", ahead=ahead)
        for item in rest:
            context.hold(item)
        return (items.StopReading(at),)

    def beyond(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Hold what has been read already, except a reset."""
        if isinstance(item, Tick):
            return ()
        if isinstance(item, items.ConnectionReset):
            return (item,)
        context.hold(item)
        return ()

    def release(self, context: FaultContext) -> Iterable[Item]:
        """Return the held items, and resume reading."""
        held = context.take_held()
        return (*held, items.ResumeReading(context.now)) if context.state.is_done else held
