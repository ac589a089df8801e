"""Data that was noted before it was sent, and then did not go out: taken back, from the latest on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from windsock.recording.events import Kind
from windsock.recording.spool import Event

__all__ = ["cuts_in", "without"]

FAR_BACK = 4096
"""Events with data for the client that a retraction may reach back over: one call's pieces."""


def cuts_in(events: Iterable[Event]) -> dict[int, int]:
    """Return how many bytes were retracted from the n-th data for the client: from the latest, and backwards."""
    cuts: dict[int, int] = {}
    latest: deque[tuple[int, int]] = deque(maxlen=FAR_BACK)
    count = 0
    for event in events:
        if event.kind == Kind.DOWN:
            latest.append((count, len(event.data)))
            count += 1
        elif event.kind == Kind.RETRACT:
            rest = int(event.data)
            while rest and latest:
                number, size = latest.pop()
                cut = min(rest, size)
                cuts[number] = cuts.get(number, 0) + cut
                rest -= cut
                if cut < size:
                    latest.append((number, size - cut))
    return cuts


def without(events: Iterable[Event], cuts: dict[int, int]) -> Iterator[Event]:
    """Give the events but for so many bytes of the n-th data for the client."""
    count = 0
    for event in events:
        if event.kind == Kind.DOWN:
            cut = cuts.get(count, 0)
            count += 1
            yield event._replace(data=event.data[:-cut]) if cut else event
        elif event.kind != Kind.RETRACT:
            yield event
