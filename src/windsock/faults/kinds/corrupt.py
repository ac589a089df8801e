"""Corrupt: bytes arrive changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import ClassVar

from windsock.errors import UsageError
from windsock.faults.checks import bytes_of, count, one_of
from windsock.faults.context import FaultContext
from windsock.faults.fault import Fault
from windsock.faults.items import Data, Datagram, Item
from windsock.faults.stages import Stage

__all__ = ["Corrupt"]


@dataclass(frozen=True, slots=True, repr=False)
class Corrupt(Fault):
    """Each selected piece of data or datagram is damaged; its size stays the same.

    "bitflip" inverts `bits` bits at different positions; "zero" makes all bytes 0; "replace" replaces them with `data`,
    repeated or cut to the size; "shuffle" changes their order. Select pieces by, say, `probability=0.01`. On a real
    line, checksums would stop most damage (RFC 1071), so this fault models broken middleboxes and senders.
    """

    chain_stage: ClassVar[Stage] = Stage.MODIFY
    chain_order: ClassVar[int] = 50

    mode: str = "bitflip"
    bits: int = field(default=1, kw_only=True)
    data: bytes = field(default=b"", kw_only=True)

    def __post_init__(self) -> None:
        one_of(self, DAMAGES, mode=self.mode)
        count(self, 1, bits=self.bits)
        bytes_of(self, 0, data=self.data)
        if self.bits != 1 and self.mode != "bitflip":
            raise UsageError(f"{self!r}: bits={self.bits}: expected mode='bitflip' with it")
        if bool(self.data) != (self.mode == "replace"):
            expected = "data, not empty, with mode='replace', and with no other"
            raise UsageError(f"{self!r}: data={self.data!r}: expected {expected}")

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the item with its data damaged."""
        if not isinstance(item, Data | Datagram) or not item.data:
            return (item,)
        damaged = DAMAGES[self.mode](self, item.data, context.random)
        context.fire("{} in {} B", self.mode, len(damaged))
        return (replace(item, data=damaged),)


def flipped(fault: Corrupt, data: bytes, random: Random) -> bytes:
    """Return the data with some bits flipped."""
    damaged = bytearray(data)
    for place in random.sample(range(len(data) * 8), min(fault.bits, len(data) * 8)):
        damaged[place // 8] ^= 1 << place % 8
    return bytes(damaged)


def zeroed(fault: Corrupt, data: bytes, random: Random) -> bytes:  # noqa: ARG001  # the contract of damages
    """Return zeros of the same size."""
    return bytes(len(data))


def replaced(fault: Corrupt, data: bytes, random: Random) -> bytes:  # noqa: ARG001  # the contract of damages
    """Return the other data, repeated or cut to the same size."""
    return (fault.data * (len(data) // len(fault.data) + 1))[: len(data)]


def shuffled(fault: Corrupt, data: bytes, random: Random) -> bytes:  # noqa: ARG001  # the contract of damages
    """Return the same bytes in another order."""
    return bytes(random.sample(data, len(data)))


DAMAGES: dict[str, Callable[[Corrupt, bytes, Random], bytes]] = {
    "bitflip": flipped,
    "zero": zeroed,
    "replace": replaced,
    "shuffle": shuffled,
}
