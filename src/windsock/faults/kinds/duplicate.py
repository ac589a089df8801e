"""Duplicate: a datagram arrives more than once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from windsock.faults.checks import count, seconds
from windsock.faults.context import FaultContext
from windsock.faults.fault import DATAGRAM, Fault
from windsock.faults.items import Datagram, Item, at_time
from windsock.faults.stages import Stage

__all__ = ["Duplicate"]


@dataclass(frozen=True, slots=True, repr=False)
class Duplicate(Fault):
    """Each selected datagram arrives `copies` more times, one every `after` seconds (0: at once).

    With a long `after` this is a replay.
    """

    chain_stage: ClassVar[Stage] = Stage.MODIFY
    chain_order: ClassVar[int] = 30
    applies_to: ClassVar[frozenset[str]] = DATAGRAM

    copies: int = 1
    after: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        count(self, 1, copies=self.copies)
        seconds(self, after=self.after)

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the datagram and its copies."""
        if not isinstance(item, Datagram):
            return (item,)
        context.fire("{} more of {} B", self.copies, len(item.data))
        copies = [item, *(replace(item, attached=item.attached and item.attached.copy()) for _ in range(self.copies))]
        return [at_time(each, item.at + self.after * number) for number, each in enumerate(copies)]
