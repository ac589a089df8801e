"""QueueLimit: a limit on datagrams in flight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import count
from windsock.faults.context import FaultContext
from windsock.faults.fault import DATAGRAM, Fault
from windsock.faults.items import Datagram, Item
from windsock.faults.stages import Stage

__all__ = ["QueueLimit"]


@dataclass(frozen=True, slots=True, repr=False)
class QueueLimit(Fault):
    """While `n` datagrams wait behind other faults (Delay, Rate, Hold) in a direction, the next one is lost.

    A drop-tail queue, like netem's `limit` (tc-netem(8)); it has no effect if no other fault makes datagrams wait.
    """

    chain_stage: ClassVar[Stage] = Stage.QUEUE
    chain_order: ClassVar[int] = 20
    applies_to: ClassVar[frozenset[str]] = DATAGRAM

    n: int

    def __post_init__(self) -> None:
        count(self, 0, "datagrams", n=self.n)

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the datagram if there is room, or nothing."""
        if not isinstance(item, Datagram) or context.waiting < self.n:
            return (item,)
        context.fire("dropped {} B, {} wait", len(item.data), context.waiting)
        return ()
