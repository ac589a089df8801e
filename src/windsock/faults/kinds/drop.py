"""Drop: exactly these datagrams get lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import wrong
from windsock.faults.context import FaultContext
from windsock.faults.fault import DATAGRAM, Fault
from windsock.faults.items import Datagram, Item
from windsock.faults.selector import Numbers, check_numbers, holds
from windsock.faults.stages import Stage

__all__ = ["Drop"]


@dataclass(frozen=True, slots=True, repr=False)
class Drop(Fault):
    """The datagrams with these numbers are lost: a number from 1, a list of them, or a slice as in `slice(3, None, 2)`.

    They are counted in each direction of each client, from when the fault meets it.
    """

    chain_stage: ClassVar[Stage] = Stage.MODIFY
    chain_order: ClassVar[int] = 10
    applies_to: ClassVar[frozenset[str]] = DATAGRAM

    indices: Numbers

    def __post_init__(self) -> None:
        if self.indices is None:
            raise wrong(self, "indices", None, "numbers from 1 of the datagrams that are lost")
        check_numbers(self, 1, indices=self.indices)

    def begin(self, context: FaultContext) -> list[int]:  # noqa: ARG002  # the contract of faults
        """Return how many have come."""
        return [0]

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return it, or nothing."""
        if not isinstance(item, Datagram):
            return (item,)
        context.state[0] += 1
        if not holds(self.indices, context.state[0]):
            return (item,)
        context.fire("dropped number {}, {} B", context.state[0], len(item.data))
        return ()
