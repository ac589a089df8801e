"""Mtu: a limit on the size of datagrams."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from windsock.faults.checks import count, one_of
from windsock.faults.context import FaultContext
from windsock.faults.fault import DATAGRAM, Fault
from windsock.faults.items import Datagram, Item
from windsock.faults.stages import Stage

__all__ = ["Mtu"]

EXCESSES = ("drop", "truncate", "EMSGSIZE")


@dataclass(frozen=True, slots=True, repr=False)
class Mtu(Fault):
    """A datagram of more than `size` bytes of payload does not get through.

    "drop": it is lost, as where path MTU discovery is broken (RFC 2923); "truncate": its first bytes arrive;
    "EMSGSIZE": it is lost and its sender gets that error where that can be done (udp(7)).
    """

    chain_stage: ClassVar[Stage] = Stage.QUEUE
    chain_order: ClassVar[int] = 10
    applies_to: ClassVar[frozenset[str]] = DATAGRAM

    size: int
    on_excess: str = field(default="drop", kw_only=True)

    def __post_init__(self) -> None:
        count(self, 0, "bytes", size=self.size)
        one_of(self, EXCESSES, on_excess=self.on_excess)

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the datagram if it is small enough, or what is left of it."""
        if not isinstance(item, Datagram) or len(item.data) <= self.size:
            return (item,)
        context.fire("{} B is above {} B: {}", len(item.data), self.size, self.on_excess)
        if self.on_excess == "drop":
            return ()
        if self.on_excess == "truncate":
            return (replace(item, data=item.data[: self.size], refuse=""),)
        return (replace(item, refuse="EMSGSIZE"),)
