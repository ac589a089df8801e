"""HalfClose: one direction ends, the other continues."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from windsock.faults import items
from windsock.faults.checks import optional_count
from windsock.faults.context import FaultContext
from windsock.faults.fault import STREAM
from windsock.faults.items import Item
from windsock.faults.point import PointFault, size_of_all
from windsock.faults.stages import Stage

__all__ = ["HalfClose"]


@dataclass(frozen=True, slots=True, repr=False)
class HalfClose(PointFault):
    """The receiver sees the end of the stream (FIN), at once or as soon as `after_bytes` have passed.

    What the sender writes after that, and its end, are lost; the other direction continues. Choose the direction by
    `direction=`.
    """

    chain_stage: ClassVar[Stage] = Stage.CLOSE
    chain_order: ClassVar[int] = 20
    applies_to: ClassVar[frozenset[str]] = STREAM

    after_bytes: int | None = None

    def __post_init__(self) -> None:
        optional_count(self, 0, "bytes", after_bytes=self.after_bytes)

    def happen(self, at: float, rest: tuple[Item, ...], context: FaultContext, ahead: int) -> Iterable[Item]:
        """Return the end."""
        context.fire("ended the direction, {} B that had come are lost", size_of_all(rest), ahead=ahead)
        return (items.End(at),)

    def beyond(self, item: Item, context: FaultContext) -> Iterable[Item]:  # noqa: ARG002  # the contract of PointFault
        """Return nothing: what the sender still sends is lost."""
        return () if isinstance(item, items.Data | items.End) else (item,)
