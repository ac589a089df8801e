"""Replace: occurrences of a pattern arrive as other bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from windsock.faults.checks import bytes_of, seconds
from windsock.faults.context import FaultContext
from windsock.faults.fault import Fault
from windsock.faults.items import Data, Datagram, Item, Tick
from windsock.faults.stages import Stage

__all__ = ["Replace"]


@dataclass(frozen=True, slots=True, repr=False)
class Replace(Fault):
    """Each occurrence of `pattern` arrives as `with_`, however a stream's bytes were split on the way.

    Bytes that may be the start of an occurrence are held for at most `patience` seconds, as a peer may be waiting for
    them; None holds them until the direction ends. `pattern` is bytes; datagrams and records are searched one by one.
    Replacement bytes are not searched again.
    """

    chain_stage: ClassVar[Stage] = Stage.MODIFY
    chain_order: ClassVar[int] = 60

    pattern: bytes
    with_: bytes
    patience: float | None = field(default=0.1, kw_only=True)

    def __post_init__(self) -> None:
        bytes_of(self, pattern=self.pattern)
        bytes_of(self, 0, with_=self.with_)
        if self.patience is not None:
            seconds(self, patience=self.patience)

    def begin(self, context: FaultContext) -> None:
        """Return None: no state."""

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the item with replacements, without an end that may start an occurrence."""
        if isinstance(item, Datagram) or (context.is_record and isinstance(item, Data)):
            return (replace(item, data=self._replaced(item.data, context)),)
        if isinstance(item, Tick):
            return context.take_held()
        if not isinstance(item, Data):
            return self.passes(item, context)
        if item.attached is not None:  # an occurrence never spans a byte with descriptors
            return [*context.take_held(), *self._apply(item, context)]
        held = context.take_held()
        before = b"".join(each.data for each in held if isinstance(each, Data))
        attached = next((each.attached for each in held if isinstance(each, Data)), None)
        return self._apply(Data(item.at, before + item.data, attached), context)

    def _apply(self, item: Data, context: FaultContext) -> Iterable[Item]:
        done, rest = self._searched(item.data, context)
        if rest:
            context.hold(Data(item.at, rest, None if done else item.attached))
            if self.patience is not None:
                context.wake_at = item.at + self.patience
        return (Data(item.at, done, item.attached),) if done else ()

    def passes(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return an item that was not selected, or that is not data, behind the held bytes."""
        return () if isinstance(item, Tick) else (*context.take_held(), item)

    def _searched(self, data: bytes, context: FaultContext) -> tuple[bytes, bytes]:
        """Return the data with the pattern replaced, and its end if that may start an occurrence."""
        parts = data.split(self.pattern)
        self._tell(len(parts) - 1, context)
        last = parts[-1]
        may_begin = next(
            (
                size
                for size in range(min(len(self.pattern) - 1, len(last)), 0, -1)
                if self.pattern.startswith(last[-size:])
            ),
            0,
        )
        parts[-1] = last[: len(last) - may_begin]
        return self.with_.join(parts), last[len(last) - may_begin :]

    def _replaced(self, data: bytes, context: FaultContext) -> bytes:
        self._tell(data.count(self.pattern), context)
        return data.replace(self.pattern, self.with_)

    def _tell(self, times: int, context: FaultContext) -> None:
        for _ in range(times):
            context.fire("replaced {} B by {} B", len(self.pattern), len(self.with_))
