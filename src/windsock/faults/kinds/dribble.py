"""Dribble: data comes in a few bytes at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from windsock.faults.checks import count, seconds
from windsock.faults.context import NEVER, FaultContext
from windsock.faults.fault import STREAM, Fault
from windsock.faults.items import Data, Item
from windsock.faults.stages import Stage

__all__ = ["Dribble"]


@dataclass(frozen=True, slots=True, repr=False)
class Dribble(Fault):
    """Each run of data arrives in `chunks` equal pieces (fewer if it has fewer bytes), spread `over` seconds.

    They come at equal intervals, the last one `over` seconds after the data; the next run waits for that.
    """

    chain_stage: ClassVar[Stage] = Stage.SEGMENT
    chain_order: ClassVar[int] = 20
    applies_to: ClassVar[frozenset[str]] = STREAM
    splits: ClassVar[bool] = True

    chunks: int
    over: float = field(kw_only=True)

    def __post_init__(self) -> None:
        count(self, 1, chunks=self.chunks)
        seconds(self, over=self.over)

    def begin(self, context: FaultContext) -> list[float]:  # noqa: ARG002  # the contract of faults
        """Return when the previous run has arrived."""
        return [-NEVER]

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the pieces."""
        if not isinstance(item, Data):
            return (item,)
        start, size = max(item.at, context.state[0]), len(item.data)
        chunks = min(self.chunks, size)
        context.state[0] = start + self.over
        context.fire("{} B in {} drops over {:g} s", size, chunks, self.over)
        cuts = [size * number // chunks for number in range(chunks + 1)] if chunks else []
        return [
            item.piece(cuts[number - 1], cuts[number], start + self.over * number / chunks)
            for number in range(1, chunks + 1)
        ]
