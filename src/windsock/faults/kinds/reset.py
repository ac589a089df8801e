"""Reset: the connection is reset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from windsock.faults import items
from windsock.faults.checks import optional_count
from windsock.faults.context import FaultContext
from windsock.faults.fault import STREAM
from windsock.faults.items import Item
from windsock.faults.point import PointFault, size_of_all
from windsock.faults.stages import Stage

__all__ = ["Reset"]


@dataclass(frozen=True, slots=True, repr=False)
class Reset(PointFault):
    """Reset the connection (RST), at once or as soon as `after_bytes` of a direction have passed.

    It fires once for each connection. A reset makes a kernel discard unsent data; `flush=True` first waits until the
    other end's kernel has taken all data written.
    """

    chain_stage: ClassVar[Stage] = Stage.CLOSE
    chain_order: ClassVar[int] = 40
    applies_to: ClassVar[frozenset[str]] = STREAM

    after_bytes: int | None = None
    flush: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        optional_count(self, 0, "bytes", after_bytes=self.after_bytes)

    @property
    def ends_connection(self) -> bool:
        """Return True."""
        return True

    def happen(self, at: float, rest: tuple[Item, ...], context: FaultContext, ahead: int) -> Iterable[Item]:
        """Return the reset."""
        context.fire("reset the connection, {} B that had come are lost", size_of_all(rest), ahead=ahead)
        return (items.ConnectionReset(at, flush=self.flush),)

    def beyond(self, item: Item, context: FaultContext) -> Iterable[Item]:  # noqa: ARG002  # the contract of PointFault
        """Return nothing."""
        return ()
