"""The base of all faults: a value with a place in the chain and one method, `apply`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, ClassVar

from windsock.faults.items import Data, Datagram, Item
from windsock.faults.stages import Stage

if TYPE_CHECKING:
    from windsock.faults.context import FaultContext

__all__ = ["ACCEPT", "BOTH", "DATAGRAM", "HANDSHAKE", "PROCESS", "STREAM", "Fault"]

STREAM = frozenset({"stream"})
DATAGRAM = frozenset({"datagram"})
BOTH = STREAM | DATAGRAM
ACCEPT = frozenset({"accept"})
HANDSHAKE = frozenset({"handshake"})
PROCESS = frozenset({"process"})


class Fault:
    """One impairment. Subclasses are frozen dataclasses whose values were checked; they are compared by value.

    Hooks, in the order in which a link meets them: `begin`, then for each item `is_occasion` and `apply` or `passes`,
    at last `release`.
    """

    __slots__ = ()

    chain_stage: ClassVar[Stage] = Stage.MODIFY
    """Where it stands in the chain."""
    chain_order: ClassVar[int] = 50
    """Where it stands within its stage; a lower one comes first."""
    applies_to: ClassVar[frozenset[str]] = BOTH
    """What it can be installed on: "stream", "datagram"; or "accept", "handshake", "process": it is no part of a
    chain."""

    def begin(self, context: FaultContext) -> Any:  # noqa: ARG002  # what an override may need
        """Return fresh state for one link, kept as `link.state`. May be overridden."""
        return None

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return what becomes of an item, in order. Must be overridden by faults of a chain.

        It is called for each selected piece of data or datagram, and for what ends a stream if the selector is not
        about items. A time may be moved to later, never to before `item.at`. Each firing is told by `link.fire(...)`.
        """
        raise NotImplementedError(f"{self!r}.apply: {type(self).__name__} does not act on what passes a link")

    def passes(self, item: Item, context: FaultContext) -> Iterable[Item]:  # noqa: ARG002  # what an override may need
        """Return what becomes of an item that was not selected. May be overridden by faults that hold things back."""
        return (item,)

    def is_occasion(self, item: Item, context: FaultContext) -> bool:  # noqa: ARG002  # what an override may need
        """Return whether a selector counts this item. May be overridden."""
        return type(item) is Data or type(item) is Datagram

    def release(self, context: FaultContext) -> Iterable[Item]:
        """Return what is still held back, when the fault is paused, healed or removed. May be extended."""
        return context.take_held()

    def room(self, delay: float) -> float | None:  # noqa: ARG002  # what an override may need
        """Return the bytes that may wait in a chain with this fault and `delay` seconds of delay; None: any number.

        Above it the source is not read. May be overridden.
        """
        return None

    @property
    def starts_at_once(self) -> bool:
        """Return whether it happens without waiting for an item, unless its selector is about items."""
        return False

    @property
    def is_for_connection(self) -> bool:
        """Return whether what it does is done to both directions at once, so that one of them is enough."""
        return False

    @property
    def latency(self) -> float:
        """Return the seconds that it adds to what passes, about."""
        return 0.0

    def happens(self, active: int) -> bool:  # noqa: ARG002  # what an override may need
        """Return whether it happens to one more connection beside `active` open ones; for faults at accept."""
        return True

    def __repr__(self) -> str:
        """Return the code that makes it."""
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
