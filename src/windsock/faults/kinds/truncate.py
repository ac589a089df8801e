"""Truncate: a stream is cut off."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from windsock.faults import items
from windsock.faults.checks import count, one_of
from windsock.faults.context import FaultContext
from windsock.faults.fault import STREAM
from windsock.faults.items import Item
from windsock.faults.point import PointFault, size_of_all
from windsock.faults.stages import Stage

__all__ = ["Truncate"]

CUTS = ("close", "reset", "stall", "discard")


@dataclass(frozen=True, slots=True, repr=False)
class Truncate(PointFault):
    """Lose all data of the direction after `after_bytes` bytes; a record in which they end arrives cut.

    Then, at once: "close" ends the connection normally, "reset" abruptly; "stall" stops reading from the sender and
    leaves the connection open; "discard" reads and discards, and then passes the sender's end.
    """

    chain_stage: ClassVar[Stage] = Stage.CLOSE
    chain_order: ClassVar[int] = 10
    applies_to: ClassVar[frozenset[str]] = STREAM
    cuts_records: ClassVar[bool] = True

    after_bytes: int
    then: str = field(default="close", kw_only=True)

    def __post_init__(self) -> None:
        count(self, 0, "bytes", after_bytes=self.after_bytes)
        one_of(self, CUTS, then=self.then)

    @property
    def ends_connection(self) -> bool:
        """Return whether `then` ends the connection."""
        return self.then in ("close", "reset")

    def happen(self, at: float, rest: tuple[Item, ...], context: FaultContext, ahead: int) -> Iterable[Item]:
        """Return the effect of `then`."""
        context.fire("cut the stream, {} B that had come are lost, then " + self.then, size_of_all(rest), ahead=ahead)
        if self.then == "close":
            return (items.ConnectionClose(at),)
        if self.then == "reset":
            return (items.ConnectionReset(at),)
        return (items.StopReading(at),) if self.then == "stall" else ()

    def beyond(self, item: Item, context: FaultContext) -> Iterable[Item]:  # noqa: ARG002  # the contract of PointFault
        """Return nothing, except the end of a discarded stream."""
        return () if self.then != "discard" or isinstance(item, items.Data) else (item,)

    def release(self, context: FaultContext) -> Iterable[Item]:
        """Resume reading, if it was stalled."""
        return (items.ResumeReading(context.now),) if self.then == "stall" and context.state.is_done else ()
