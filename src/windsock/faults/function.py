"""A plain function as a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from windsock.errors import UsageError
from windsock.faults.context import FaultContext
from windsock.faults.fault import Fault
from windsock.faults.items import Data, Datagram, Item

__all__ = ["Function", "fault_from"]


@dataclass(frozen=True, slots=True, repr=False)
class Function(Fault):
    """A fault that is a function of an item (Data or Datagram) and a context; it returns items, bytes or None.

    Bytes replace the item's. The end of a stream passes unchanged. A firing is logged when the function has changed
    something. An error that it raises is raised by `Chain.feed` or `Chain.due`.
    """

    chain_order: ClassVar[int] = 90

    function: Callable[..., Any]

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the items that the function makes of an item."""
        if not isinstance(item, Data | Datagram):
            return (item,)
        outcome = self.function(item, context)
        if outcome is None:
            context.fire("took {} B away", len(item.data))
            return ()
        if isinstance(outcome, bytes | bytearray | memoryview):
            outcome = replace(item, data=bytes(outcome))
        items = (outcome,) if isinstance(outcome, Item) else tuple(outcome)
        if items != (item,):
            context.fire("made {} item(s) of {} B", len(items), len(item.data))
        return items

    def __repr__(self) -> str:
        """Return the function's name without its address, since random streams are named after it."""
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"Function({getattr(self.function, '__module__', '?')}.{name})"


def fault_from(value: object) -> Fault:
    """Return a fault for a fault or a function. Raises UsageError for anything else."""
    if isinstance(value, Fault):
        return value
    if isinstance(value, type) and issubclass(value, Fault):
        raise UsageError(f"{value.__name__}: that is the class; expected a fault, such as {value.__name__}(...)")
    if callable(value):
        return Function(value)
    raise UsageError(f"{value!r}: expected a fault, such as Delay(0.2), or a function of an item and a context")
