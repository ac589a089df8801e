"""Drop: the datagrams with given numbers are lost."""

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
    """Lose the datagrams with these numbers: a number from 1, a list of them, or a slice such as `slice(3, None, 2)`.

    They are counted in each direction of each client, from when the fault meets the client.
    """

    chain_stage: ClassVar[Stage] = Stage.MODIFY
    chain_order: ClassVar[int] = 10
    applies_to: ClassVar[frozenset[str]] = DATAGRAM

    indices: Numbers

    def __post_init__(self) -> None:
        if self.indices is None:
            raise wrong(self, "indices", None, "the numbers, from 1, of the datagrams to lose")
        check_numbers(self, 1, indices=self.indices)

    def begin(self, context: FaultContext) -> list[int]:  # noqa: ARG002  # the contract of faults
        """Return the number of datagrams so far."""
        return [0]

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the datagram, or nothing."""
        if not isinstance(item, Datagram):
            return (item,)
        context.state[0] += 1
        if not holds(self.indices, context.state[0]):
            return (item,)
        context.fire("dropped number {}, {} B", context.state[0], len(item.data))
        return ()
