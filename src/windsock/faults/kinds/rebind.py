"""Rebind: a client's address changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from windsock.faults import items
from windsock.faults.context import FaultContext
from windsock.faults.fault import DATAGRAM
from windsock.faults.items import Item
from windsock.faults.point import PointFault
from windsock.faults.stages import Stage

__all__ = ["Rebind"]


@dataclass(frozen=True, slots=True, repr=False)
class Rebind(PointFault):
    """From now on the server sees another client address, as when a NAT forgets a mapping (RFC 4787, 4.3).

    At once, or before each datagram that a selector chooses (`nth=3`).
    """

    chain_stage: ClassVar[Stage] = Stage.CLOSE
    chain_order: ClassVar[int] = 50
    applies_to: ClassVar[frozenset[str]] = DATAGRAM

    def happen(self, at: float, rest: tuple[Item, ...], context: FaultContext, ahead: int) -> Iterable[Item]:
        """Return the change and the items that follow."""
        context.state.is_done = not context.selector.is_about_items
        context.fire("the client has another address", ahead=ahead)
        return (items.NewSource(at), *rest)

    @property
    def after_bytes(self) -> None:
        """None: no bytes have to pass first."""

    @property
    def is_for_connection(self) -> bool:
        """Return True: one direction is enough."""
        return True
