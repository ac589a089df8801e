"""The base of all faults: a value with a stage in the chain and one method, `apply`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import Any, ClassVar

from windsock.faults.context import FaultContext
from windsock.faults.items import Data, Datagram, Item
from windsock.faults.stages import Stage

__all__ = ["ACCEPT", "BOTH", "DATAGRAM", "HANDSHAKE", "PROCESS", "STREAM", "Fault"]

STREAM = frozenset({"stream"})
DATAGRAM = frozenset({"datagram"})
BOTH = STREAM | DATAGRAM
ACCEPT = frozenset({"accept"})
HANDSHAKE = frozenset({"handshake"})
PROCESS = frozenset({"process"})


class Fault:
    """One impairment. Subclasses are frozen dataclasses with checked values, compared by value.

    Hooks, in the order in which a connection meets them: `begin`, then for each item `is_occasion` and `apply` or
    `passes`, at last `release`.
    """

    __slots__ = ()

    chain_stage: ClassVar[Stage] = Stage.MODIFY
    """The stage in the chain."""
    chain_order: ClassVar[int] = 50
    """The position within the stage; a lower one comes first."""
    applies_to: ClassVar[frozenset[str]] = BOTH
    """What it can be installed on: "stream" (connections with records too), "datagram"; or "accept", "handshake",
    "process", which are outside of chains."""

    splits: ClassVar[bool] = False
    """Whether all that it does is to split a stream's data, so that it cannot act on records."""

    happens_later: ClassVar[bool] = False
    """Whether it acts some time after it has fired; what carries it out records it on the connection then."""

    def begin(self, context: FaultContext) -> Any:  # noqa: ARG002  # an override may need it
        """Return the initial state for one direction, kept as `context.state`. May be overridden."""
        return None

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the items that replace an item, in order. Must be overridden by faults of a chain.

        It is called for each selected piece of data or datagram, and also for the end of a stream if the selector is
        not about items. An item may get a later time, not one before `item.at`. Log each firing by `context.fire(...)`.
        """
        raise NotImplementedError(f"{self!r}.apply: {type(self).__name__} does not act on traffic")

    def passes(self, item: Item, context: FaultContext) -> Iterable[Item]:  # noqa: ARG002  # an override may need it
        """Return the items that replace an item that was not selected. Faults that hold items may override it."""
        return (item,)

    def is_occasion(self, item: Item, context: FaultContext) -> bool:  # noqa: ARG002  # an override may need it
        """Return whether a selector counts this item. May be overridden."""
        return type(item) is Data or type(item) is Datagram

    def release(self, context: FaultContext) -> Iterable[Item]:
        """Return all held items, when the fault is paused, healed or removed. May be extended."""
        return context.take_held()

    def room(self, delay: float) -> float | None:  # noqa: ARG002  # an override may need it
        """Return how many bytes may wait in a chain with this fault and `delay` seconds of delay; None: no limit.

        Above the limit, the source is not read. May be overridden.
        """
        return None

    @property
    def starts_at_once(self) -> bool:
        """Return whether it acts without waiting for an item, unless its selector is about items."""
        return False

    @property
    def is_for_connection(self) -> bool:
        """Return whether it acts on both directions at once, so that one of them is enough."""
        return False

    @property
    def latency(self) -> float:
        """Return the approximate seconds of delay that it adds."""
        return 0.0

    def happens(self, active: int) -> bool:  # noqa: ARG002  # an override may need it
        """Return whether it applies to a new connection besides `active` open ones; for faults at accept."""
        return True

    def __repr__(self) -> str:
        """Return the code that creates the fault."""
        return f"{type(self).__name__}({', '.join(_arguments(self))})"


def _arguments(fault: Any) -> Iterable[str]:
    by_position = True
    for field in fields(fault):
        value = getattr(fault, field.name)
        if field.default is not MISSING and value == field.default:
            by_position = False
        elif by_position and not field.kw_only:
            yield repr(value)
        else:
            yield f"{field.name}={value!r}"
