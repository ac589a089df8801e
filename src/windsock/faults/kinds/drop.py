"""Drop: exactly these datagrams get lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import wrong
from windsock.faults.context import Link
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

    place: ClassVar[Stage] = Stage.MODIFY
    rank: ClassVar[int] = 10
    carries: ClassVar[frozenset[str]] = DATAGRAM

    indices: Numbers

    def __post_init__(self) -> None:
        if self.indices is None:
            raise wrong(self, "indices", None, "numbers from 1 of the datagrams that are lost")
        check_numbers(self, 1, indices=self.indices)

    def begin(self, link: Link) -> list[int]:  # noqa: ARG002  # the contract of faults
        """Return how many have come."""
        return [0]

    def apply(self, item: Item, link: Link) -> Iterable[Item]:
        """Return it, or nothing."""
        if not isinstance(item, Datagram):
            return (item,)
        link.state[0] += 1
        if not holds(self.indices, link.state[0]):
            return (item,)
        link.fire("dropped number {}, {} B", link.state[0], len(item.data))
        return ()
