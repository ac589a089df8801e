"""Items that wait for their time at the output of a fault."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import count as counter
from typing import Any

from windsock.faults.context import NEVER
from windsock.faults.items import Item, at_time

__all__ = ["ItemQueue"]


class ItemQueue:
    """Items with their times: on a stream they stay in order, datagrams go soonest first."""

    __slots__ = ("_is_stream", "_items", "_last", "_ticket")

    def __init__(self, *, is_stream: bool) -> None:
        self._is_stream = is_stream
        self._items: Any = deque() if is_stream else []
        self._ticket = counter()
        self._last = -NEVER

    def __bool__(self) -> bool:
        return bool(self._items)

    def push(self, item: Item) -> None:
        """Add an item; on a stream its time is no earlier than that of the one before."""
        if self._is_stream:
            if self._items and item.at < self._last:
                item = at_time(item, self._last)
            self._last = item.at
            self._items.append(item)
        else:
            heappush(self._items, (item.at, next(self._ticket), item))

    def head(self) -> float:
        """Return the time of the next item."""
        head: float = self._items[0].at if self._is_stream else self._items[0][0]
        return head

    def pop(self) -> Item:
        """Remove and return the next item."""
        item: Item = self._items.popleft() if self._is_stream else heappop(self._items)[2]
        return item

    def take_all(self) -> list[Item]:
        """Remove and return all items in their order."""
        return [self.pop() for _ in range(len(self._items))]
