"""Faults that act at a point of a stream: at once, after some bytes, or at an item that a selector chooses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from windsock.faults.context import FaultContext
from windsock.faults.fault import Fault
from windsock.faults.items import Data, Datagram, Item, Tick

__all__ = ["PointFault", "PointProgress"]


class PointProgress:
    """The state of a point fault on one direction: whether the point was reached."""

    __slots__ = ("is_done",)

    def __init__(self) -> None:
        self.is_done: bool = False


class PointFault(Fault):
    """A fault with a field `after_bytes`: it acts as soon as they have passed, not with the next byte.

    With a selector's `probability`, it has one chance there. If other conditions do not hold at that byte (`after`), it
    acts as soon as they do.

    The record in which the point lies passes whole, unless the fault cuts records.

    Without `after_bytes`, or with 0, it acts when the fault meets the connection (plus the selector's `after`); with a
    selector about items (`nth`, `every`, `match`, `after_bytes`), in place of the selected item or before it.
    """

    __slots__ = ()

    cuts_records: ClassVar[bool] = False
    """Whether a record is cut at the point."""

    if TYPE_CHECKING:

        @property
        def after_bytes(self) -> int | None:
            """The number of bytes that pass first; a field of each subclass."""

    def happen(self, at: float, rest: tuple[Item, ...], context: FaultContext, ahead: int) -> Iterable[Item]:
        """Return the items at the point; `rest` has arrived beyond it: none or one item. Must be overridden."""
        raise NotImplementedError

    def beyond(self, item: Item, context: FaultContext) -> Iterable[Item]:  # noqa: ARG002  # an override may need it
        """Return the items that replace an item after the point. May be overridden."""
        return (item,)

    @property
    def ends_connection(self) -> bool:
        """Return whether it ends the connection, and so can act only once. May be overridden."""
        return False

    @property
    def is_for_connection(self) -> bool:
        """Return whether one direction is enough."""
        return self.ends_connection

    @property
    def starts_at_once(self) -> bool:
        """Return whether it acts without waiting for a byte."""
        return not self.after_bytes

    def begin(self, context: FaultContext) -> PointProgress:  # noqa: ARG002  # the contract of faults
        """Return the initial progress."""
        return PointProgress()

    def is_occasion(self, item: Item, context: FaultContext) -> bool:
        """Return whether the point may be in this item."""
        if not isinstance(item, Data | Datagram):
            return False
        if not self.after_bytes:
            return context.selector.is_about_items
        if context.state.is_done or context.seen + len(item.data) < self.after_bytes:
            return False
        return context.selector.probability is None or context.seen < self.after_bytes  # one chance, at the point

    def passes(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the item, or its replacement after the point."""
        return self.beyond(item, context) if context.state.is_done else (item,)

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the item; if the point is in it, return what happens there."""
        if context.state.is_done:
            return self.beyond(item, context)
        if isinstance(item, Tick):
            return self._reach(item.at, (), context, 0)
        if not isinstance(item, Data | Datagram) or not self.is_occasion(item, context):
            return (item,)
        if not self.after_bytes or isinstance(item, Datagram):
            return self._reach(item.at, (item,), context, 0)
        size = max(0, self.after_bytes - context.seen)
        if size and context.is_record and not self.cuts_records:
            size = len(item.data)
        head, rest = item.piece(0, size), item.piece(size)
        reached = self._reach(item.at, (rest,) if rest.data else (), context, size)
        return [head, *reached] if head.data else reached

    def _reach(self, at: float, rest: tuple[Item, ...], context: FaultContext, ahead: int) -> Iterable[Item]:
        if self.ends_connection and not context.claim():
            return rest
        context.state.is_done = True
        return self.happen(at, rest, context, ahead)


def size_of_all(items: Iterable[Item]) -> int:
    """Return the number of bytes of payload in all items."""
    return sum(len(item.data) for item in items if isinstance(item, Data | Datagram))
