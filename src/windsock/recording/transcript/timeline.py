"""One timeline of many sources, each of which is begun when its time has come."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

__all__ = ["merged"]

Item = TypeVar("Item")
Source = TypeVar("Source")


def merged(
    sources: Iterable[tuple[float, Source]], read: Callable[[Source], Iterator[tuple[float, Item]]]
) -> Iterator[Item]:
    """Give the items of all sources by their times.

    A source is a pair: when it begins, and what `read` takes to give its items with their times, in order. Only the
    sources that are in progress take memory, for one item each.
    """
    waiting = sorted(enumerate(sources), key=lambda each: (-each[1][0], -each[0]))
    running: list[tuple[float, int, Item, Iterator[tuple[float, Item]]]] = []
    while waiting or running:
        while waiting and (not running or waiting[-1][1][0] <= running[0][0]):
            number, (_, source) = waiting.pop()
            items = read(source)
            for time, item in items:
                heapq.heappush(running, (time, number, item, items))
                break
        if running:
            _, number, item, items = running[0]
            yield item
            del item
            following = next(items, None)
            if following is None:
                heapq.heappop(running)
            else:
                heapq.heapreplace(running, (following[0], number, following[1], items))
