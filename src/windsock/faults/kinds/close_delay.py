"""CloseDelay: the end of a direction comes late."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import seconds
from windsock.faults.context import FaultContext
from windsock.faults.fault import STREAM, Fault
from windsock.faults.items import ConnectionClose, ConnectionReset, End, Item, at_time
from windsock.faults.stages import Stage

__all__ = ["CloseDelay"]


@dataclass(frozen=True, slots=True, repr=False)
class CloseDelay(Fault):
    """The end of a direction, a close or a reset arrives `time` seconds later; data is not delayed.

    This includes ends caused by other faults.
    """

    chain_stage: ClassVar[Stage] = Stage.CLOSE
    chain_order: ClassVar[int] = 90
    applies_to: ClassVar[frozenset[str]] = STREAM

    time: float

    def __post_init__(self) -> None:
        seconds(self, time=self.time)

    def is_occasion(self, item: Item, context: FaultContext) -> bool:  # noqa: ARG002  # the contract of faults
        """Return whether the item is an end."""
        return isinstance(item, End | ConnectionClose | ConnectionReset)

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the end with a later time."""
        if not self.is_occasion(item, context):
            return (item,)
        context.fire("{} is {:g} s late", type(item).__name__, self.time)
        return (at_time(item, item.at + self.time),)
