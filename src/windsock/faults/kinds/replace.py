"""Replace: one thing is said, another is heard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from windsock.faults.checks import bytes_of, seconds
from windsock.faults.fault import Fault
from windsock.faults.items import Data, Datagram, Item, Tick
from windsock.faults.link import Link
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
            return (Datagram(item.at, self._replaced(item.data, link), item.refuse),)
        if isinstance(item, Tick):
            return link.take_held()
        if not isinstance(item, Data):
            return self.passes(item, link)
        before = b"".join(held.data for held in link.take_held() if isinstance(held, Data))
        done, rest = self._searched(before + item.data, link)
        if rest:
            link.hold(Data(item.at, rest))
            if self.patience is not None:
                link.wake_at = item.at + self.patience
        return (Data(item.at, done),) if done else ()

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
