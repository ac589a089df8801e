"""Replace: one thing is said, another is heard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from windsock.faults.checks import bytes_of, seconds
from windsock.faults.context import Link
from windsock.faults.fault import Fault
from windsock.faults.items import Data, Datagram, Item, Tick
from windsock.faults.stages import Stage

__all__ = ["Replace"]


@dataclass(frozen=True, slots=True, repr=False)
class Replace(Fault):
    """Each occurrence of `pattern` arrives as `with_`, however a stream's bytes were cut on their way.

    Bytes that could be the beginning of an occurrence are held until more is known, `patience` seconds at the most, as
    a peer may wait for them; None holds them until the direction ends. `pattern` is bytes; datagrams are searched one
    by one. Bytes that were put in are not searched again.
    """

    place: ClassVar[Stage] = Stage.MODIFY
    rank: ClassVar[int] = 60

    pattern: bytes
    with_: bytes
    patience: float | None = field(default=0.1, kw_only=True)

    def __post_init__(self) -> None:
        bytes_of(self, pattern=self.pattern)
        bytes_of(self, 0, with_=self.with_)
        if self.patience is not None:
            seconds(self, patience=self.patience)

    def begin(self, link: Link) -> None:
        """Begin with nothing."""

    def apply(self, item: Item, link: Link) -> Iterable[Item]:
        """Return what is known."""
        if isinstance(item, Datagram):
            return (replace(item, data=self._replaced(item.data, link)),)
        if isinstance(item, Tick):
            return link.take_held()
        if not isinstance(item, Data):
            return self.passes(item, link)
        if item.attached is not None:  # an occurrence does not go across the byte with which something has come
            return [*link.take_held(), *self._apply(item, link)]
        held = link.take_held()
        before = b"".join(each.data for each in held if isinstance(each, Data))
        attached = next((each.attached for each in held if isinstance(each, Data)), None)
        return self._apply(Data(item.at, before + item.data, attached), link)

    def _apply(self, item: Data, link: Link) -> Iterable[Item]:
        done, rest = self._searched(item.data, link)
        if rest:
            link.hold(Data(item.at, rest, None if done else item.attached))
            if self.patience is not None:
                link.wake_at = item.at + self.patience
        return (Data(item.at, done, item.attached),) if done else ()

    def passes(self, item: Item, link: Link) -> Iterable[Item]:
        """Return an item that was not selected, or is no data, behind what was held."""
        return () if isinstance(item, Tick) else (*link.take_held(), item)

    def _searched(self, data: bytes, link: Link) -> tuple[bytes, bytes]:
        """Return the data with the pattern replaced, and the end of it that may be the beginning of one."""
        parts = data.split(self.pattern)
        self._tell(len(parts) - 1, link)
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

    def _replaced(self, data: bytes, link: Link) -> bytes:
        self._tell(data.count(self.pattern), link)
        return data.replace(self.pattern, self.with_)

    def _tell(self, times: int, link: Link) -> None:
        for _ in range(times):
            link.fire("replaced {} B by {} B", len(self.pattern), len(self.with_))
