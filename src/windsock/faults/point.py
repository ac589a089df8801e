"""Faults that happen at a point of a stream: at once, at a byte, or at an item that a selector chooses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from windsock.faults.context import FaultContext
from windsock.faults.fault import Fault
from windsock.faults.items import Data, Datagram, Item, Tick

__all__ = ["PointFault", "PointProgress"]


class PointProgress:
    """The state of a point fault on one link: whether the point was reached."""

    __slots__ = ("is_done",)

    def __init__(self) -> None:
        self.is_done = False


class PointFault(Fault):
    """A fault that has a field `after_bytes`: it happens as soon as they have passed, not with the next byte.

    With a selector's `probability` it has one chance there; with others that do not hold at that byte (`after`), it
    happens as soon as they do.

    Without it, or with 0, it happens when the fault meets the link (plus the selector's `after`); with a selector that
    is about items (`nth`, `every`, `match`, `after_bytes`), in the place of, or before, the item that is chosen.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def after_bytes(self) -> int | None:
            """Return the bytes that pass first; a field of each subclass."""

    def happen(self, at: float, rest: tuple[Item, ...], context: FaultContext, ahead: int) -> Iterable[Item]:
        """Return what comes at the point; `rest` has arrived beyond it, none or one item. Must be overridden."""
        raise NotImplementedError

    def beyond(self, item: Item, context: FaultContext) -> Iterable[Item]:  # noqa: ARG002  # what an override may need
        """Return what becomes of an item after the point. May be overridden."""
        return (item,)

    @property
    def ends_connection(self) -> bool:
        """Return whether it ends the connection, so that it can happen only once. May be overridden."""
        return False

    @property
    def is_for_connection(self) -> bool:
        """Return whether one direction is enough."""
        return self.ends_connection

    @property
    def starts_at_once(self) -> bool:
        """Return whether no byte has to pass first."""
        return not self.after_bytes

    def begin(self, context: FaultContext) -> PointProgress:  # noqa: ARG002  # the contract of faults
        """Return that the point has not been reached."""
        return PointProgress()

    def is_occasion(self, item: Item, context: FaultContext) -> bool:
        """Return whether the point may be in this item."""
        if not isinstance(item, Data | Datagram):
            return False
        if not self.after_bytes:
            return context.selector.is_about_items
        if context.state.is_done or context.seen + len(item.data) < self.after_bytes:
            return False
        return context.selector.probability is None or context.seen < self.after_bytes  # one chance, where the point is

    def passes(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the item, or what becomes of it after the point."""
        return self.beyond(item, context) if context.state.is_done else (item,)

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the item, or what comes at the point if it is in there."""
        if context.state.is_done:
            return self.beyond(item, context)
        if isinstance(item, Tick):
            return self._reach(item.at, (), context, 0)
        if not isinstance(item, Data | Datagram) or not self.is_occasion(item, context):
            return (item,)
        if not self.after_bytes or isinstance(item, Datagram):
            return self._reach(item.at, (item,), context, 0)
        size = max(0, self.after_bytes - context.seen)
        head, rest = item.piece(0, size), item.piece(size)
        reached = self._reach(item.at, (rest,) if rest.data else (), context, size)
        return [head, *reached] if head.data else reached

    def _reach(self, at: float, rest: tuple[Item, ...], context: FaultContext, ahead: int) -> Iterable[Item]:
        if self.ends_connection and not context.claim():
            return rest
        context.state.is_done = True
        return self.happen(at, rest, context, ahead)


def size_of_all(items: Iterable[Item]) -> int:
    """Return the bytes of payload in those."""
    return sum(len(item.data) for item in items if isinstance(item, Data | Datagram))
