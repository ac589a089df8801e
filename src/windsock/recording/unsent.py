"""Data that was recorded and then retracted, from the latest on.

Data for the client is recorded before it is sent, and may not be sent. Data from the client may turn out to be the
start of a TLS handshake, which is not recorded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from windsock.recording.events import Kind
from windsock.recording.store.spill_file import Event

__all__ = ["OF", "Cuts", "cuts_in", "unsent_in", "without"]

OF = {Kind.RETRACT: Kind.DOWN, Kind.RETRACT_UP: Kind.UP}
"""The kind of data that each kind of retraction refers to."""
FAR_BACK = 4096
"""The most events with data that a retraction may affect: the pieces of one call."""
Cuts: TypeAlias = dict[tuple[int, int], int]
"""How many bytes were retracted from the n-th event of a kind with data."""


def cuts_in(events: Iterable[Event]) -> Cuts:
    """Return what was retracted, starting from the latest data."""
    cuts: Cuts = {}
    latest: dict[int, deque[tuple[int, int]]] = {kind: deque(maxlen=FAR_BACK) for kind in OF.values()}
    counts = dict.fromkeys(OF.values(), 0)
    for event in events:
        if event.kind in counts:
            latest[event.kind].append((counts[event.kind], len(event.data)))
            counts[event.kind] += 1
        elif event.kind in OF:
            _cut(OF[event.kind], int(event.data), latest[OF[event.kind]], cuts)
    return cuts


def _cut(kind: int, rest: int, latest: deque[tuple[int, int]], cuts: Cuts) -> None:
    while rest and latest:
        number, size = latest.pop()
        cut = min(rest, size)
        cuts[kind, number] = cuts.get((kind, number), 0) + cut
        rest -= cut
        if cut < size:
            latest.append((number, size - cut))


def unsent_in(events: Iterable[Event]) -> int:
    """Return how much of the latest data for the client was not sent, if nothing was sent after it."""
    unsent = 0
    for event in events:
        if event.kind == Kind.DOWN:
            unsent = 0
        elif event.kind == Kind.RETRACT:
            unsent += int(event.data)
    return unsent


def without(events: Iterable[Event], cuts: Cuts) -> Iterator[Event]:
    """Yield the events without retracted data; one of which nothing is left is gone, unlike an empty datagram."""
    counts = dict.fromkeys(OF.values(), 0)
    for event in events:
        if event.kind in counts:
            cut = cuts.get((event.kind, counts[event.kind]), 0)
            counts[event.kind] += 1
            if not cut:
                yield event
            elif cut < len(event.data):
                yield event._replace(data=event.data[:-cut])
        elif event.kind not in OF:
            yield event
