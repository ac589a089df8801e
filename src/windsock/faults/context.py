"""The interface that a fault's methods act through: its state on one direction of a connection, and what it may do."""

from __future__ import annotations

import random
from collections import deque
from typing import Any, Protocol

from windsock.faults.items import Item
from windsock.faults.selector import Selector

__all__ = ["NEVER", "FaultContext"]

NEVER = float("inf")


class FaultContext(Protocol):
    """The argument of a fault's methods: its state on one direction, its random numbers, and the stream position."""

    state: Any
    """The result of `Fault.begin()`."""
    connection: int
    direction: str
    """"upstream" or "downstream"."""
    is_stream: bool
    is_record: bool
    """Whether each item of data is a record; `is_stream` is true then, as for all connections."""
    selector: Selector
    now: float
    """The time of the item, in seconds."""
    begun: float
    """When the fault started here."""
    offset: int
    """The number of bytes of this direction before the item."""
    held: deque[Item]
    wake_at: float
    """When the fault wants a tick."""

    @property
    def random(self) -> random.Random:
        """Random numbers of its own, derived from the seed, the connection, the direction and the fault's name."""
        ...

    @property
    def seen(self) -> int:
        """The number of bytes that have passed since the fault started here."""
        ...

    @property
    def waiting(self) -> int:
        """The number of items that wait anywhere in the chain."""
        ...

    @property
    def credit(self) -> int:
        """The number of items that a test has let through a Hold, in each direction of each connection."""
        ...

    @property
    def is_released(self) -> bool:
        """Whether a test has let everything through a Hold."""
        ...

    def is_used_up(self) -> bool:
        """Return whether the fault has fired as often as its selector allows."""
        ...

    def fire(self, what: str, *values: object, ahead: int = 0) -> None:
        """Log a firing. `what` is a format that is filled with `values` when it is read.

        The fault acted `ahead` bytes into the item.
        """
        ...

    def claim(self) -> bool:
        """Return True the first time on this connection, whichever direction asks."""
        ...

    def hold(self, item: Item) -> None:
        """Hold an item until `take_held()`."""
        ...

    def take_held(self, n: int | None = None) -> list[Item]:
        """Return the held items, all or the first `n`; a time that has passed becomes `now`."""
        ...
