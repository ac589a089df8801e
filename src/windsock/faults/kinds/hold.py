"""Hold: everything waits for a word from the test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.context import Link
from windsock.faults.fault import Fault
from windsock.faults.items import Item, Tick
from windsock.faults.stages import Stage

__all__ = ["Hold"]


@dataclass(frozen=True, slots=True, repr=False)
class Hold(Fault):
    """What comes is held until the test lets it go: pieces of data, datagrams, and ends.

    `installed.deliver(n)` lets the next n of them go on each link, such as are held and then such as will come, in
    order; `installed.release()` all, also what comes later. With a selector, a stream's first chosen item stops all
    that follows.
    """

    place: ClassVar[Stage] = Stage.DELAY
    rank: ClassVar[int] = 30
    holds: ClassVar[bool] = True

    def begin(self, link: Link) -> list[int]:
        """Return how many have been let go."""
        return [link.handle.credit]

    def apply(self, item: Item, link: Link) -> Iterable[Item]:
        """Return what may go on."""
        if not isinstance(item, Tick):
            link.fire("held {}", type(item).__name__)
            link.hold(item)
        return self._free(link)

    def passes(self, item: Item, link: Link) -> Iterable[Item]:
        """Return an item that was not selected, but behind what is held of a stream."""
        if not (link.held and link.is_stream):
            return (item,)
        link.hold(item)
        return self._free(link)

    def _free(self, link: Link) -> Iterable[Item]:
        if link.handle.is_released:
            return link.take_held()
        free = link.take_held(max(0, link.handle.credit - link.state[0]))
        link.state[0] += len(free)
        return free
