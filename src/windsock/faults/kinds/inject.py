"""Inject: the receiver gets data that the sender did not send."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from windsock.faults.checks import bytes_of, optional_count
from windsock.faults.context import FaultContext
from windsock.faults.items import Data, Datagram, Item
from windsock.faults.point import PointFault
from windsock.faults.stages import Stage

__all__ = ["Inject"]


@dataclass(frozen=True, slots=True, repr=False)
class Inject(PointFault):
    """Insert bytes or a datagram that the sender did not send: at once, or as soon as `after_bytes` have passed.

    With a selector about items, insert it before each selected one. Choose the direction by `direction=`.
    """

    chain_stage: ClassVar[Stage] = Stage.MODIFY
    chain_order: ClassVar[int] = 70

    data: bytes
    after_bytes: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        bytes_of(self, data=self.data)
        optional_count(self, 0, "bytes", after_bytes=self.after_bytes)

    def happen(self, at: float, rest: tuple[Item, ...], context: FaultContext, ahead: int) -> Iterable[Item]:
        """Return the inserted bytes and the items that follow."""
        context.state.is_done = not context.selector.is_about_items
        context.fire("injected {} B", len(self.data), ahead=ahead)
        made = Data(at, self.data) if context.is_stream else Datagram(at, self.data)
        return (made, *rest)
