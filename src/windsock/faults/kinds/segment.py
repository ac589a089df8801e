"""Segment: data arrives in small pieces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from windsock.faults.checks import count, seconds
from windsock.faults.context import NEVER, FaultContext
from windsock.faults.fault import STREAM, Fault
from windsock.faults.items import Data, Item
from windsock.faults.stages import Stage

__all__ = ["Segment"]


@dataclass(frozen=True, slots=True, repr=False)
class Segment(Fault):
    """Each run of data is cut into pieces of `size` bytes, one every `interval` seconds, each written by itself.

    The reader's kernel joins pieces that arrive before they are read. For exact pieces, choose an interval that leaves
    the reader time to read.
    """

    chain_stage: ClassVar[Stage] = Stage.SEGMENT
    chain_order: ClassVar[int] = 10
    applies_to: ClassVar[frozenset[str]] = STREAM
    splits: ClassVar[bool] = True

    size: int
    interval: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        count(self, 1, "bytes", size=self.size)
        seconds(self, interval=self.interval)

    def begin(self, context: FaultContext) -> list[float]:  # noqa: ARG002  # the contract of faults
        """Return when the next piece may be written."""
        return [-NEVER]

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the pieces."""
        if not isinstance(item, Data):
            return (item,)
        at, data = max(item.at, context.state[0]), item.data
        starts = range(0, len(data), self.size)
        context.state[0] = at + len(starts) * self.interval
        if len(starts) > 1 or at > item.at:
            context.fire("cut {} B into {} pieces", len(data), len(starts))
        return [
            item.piece(start, start + self.size, at + number * self.interval) for number, start in enumerate(starts)
        ]
