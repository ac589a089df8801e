"""Urgent bytes in a recording: where in the stream they were sent, and whether their handler read them there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from windsock.recording.events import Direction, Kind
from windsock.recording.store.spill_file import Event

__all__ = ["STREAM_OF", "UrgentByte", "in_stream_order", "located", "out_of_line", "urgent_byte", "urgent_text"]

STREAM_OF = {Kind.URGENT_UP: Kind.UP, Kind.URGENT_DOWN: Kind.DOWN}
"""The kind of data that each kind of mark belongs to."""
DIRECTIONS = {Kind.URGENT_UP: Direction.UPSTREAM, Kind.URGENT_DOWN: Direction.DOWNSTREAM}

ENDS = (Kind.CLIENT_EOF, Kind.CLIENT_RESET, Kind.CLOSE)
"""Events after which no more data of the client comes."""


@dataclass(frozen=True, slots=True)
class UrgentByte:
    """An urgent byte: `time` in monotonic seconds.

    `position` is its offset in the bytes of its direction (`Connection.upstream`, `downstream`). In line, it is the
    byte there; otherwise it is not among them, and was sent just before the byte there.
    """

    time: float
    direction: Direction
    position: int
    data: bytes
    is_inline: bool

    def __str__(self) -> str:
        return f"urgent {self.data!r} at byte {self.position}{'' if self.is_inline else ', out of line'}"


def out_of_line(byte: bytes, ahead: int) -> bytes:
    """Return the data of an event for a byte that overtook `ahead` bytes of its stream."""
    return byte + b"%d" % ahead


def located(events: Iterable[Event], sizes: dict[int, int] | None = None) -> Iterator[Event]:
    """Give marks with their position and byte, for `urgent_byte`; drop those whose byte was not sent after all.

    `sizes` are the bytes of each kind before these events, to which theirs are added.
    """
    if sizes is None:
        sizes = dict.fromkeys(STREAM_OF.values(), 0)
    marks: dict[int, Event] = {}
    for event in events:
        kind = event.kind
        if kind in sizes:
            mark = marks.pop(kind, None)
            if mark is not None:
                yield mark._replace(data=event.data[:1] + b"%d" % sizes[kind])
            sizes[kind] += len(event.data)
            yield event
        elif kind in STREAM_OF and not event.data:
            marks[STREAM_OF[kind]] = event
        elif kind in STREAM_OF:
            position = sizes[STREAM_OF[kind]] + int(event.data[1:])
            yield event._replace(data=event.data[:1] + b"%d out" % position)
        else:
            yield event


def urgent_byte(event: Event) -> UrgentByte:
    """Return what a located mark says."""
    position, _, is_out = event.data[1:].partition(b" ")
    return UrgentByte(event.time, DIRECTIONS[event.kind], int(position), event.data[:1], not is_out)


def urgent_text(kind: int, data: bytes) -> str:
    """Return what a located mark says, in words."""
    return str(urgent_byte(Event(0.0, kind, data)))


def in_stream_order(events: Iterable[Event]) -> Iterator[Event]:
    """Put bytes out of line into the stream, each behind its mark, at the place where they were sent."""
    order = _StreamOrder()
    for event in events:
        yield from order.take(event)
    yield from order.rest()


class _StreamOrder:
    """Holds bytes that came out of line until the data has come that was sent before them."""

    def __init__(self) -> None:
        self._held: deque[tuple[int, Event]] = deque()
        self._size = 0

    def take(self, event: Event) -> Iterator[Event]:
        """Yield what an event means for the stream."""
        if event.kind in STREAM_OF and not urgent_byte(event).is_inline:
            self._held.append((urgent_byte(event).position, event))
            yield from self._reached(event.time)
        elif event.kind == Kind.UP:
            yield from self._data(event)
        else:
            if event.kind in ENDS:
                yield from self.rest(event.time)
            yield event

    def rest(self, time: float = 0.0) -> Iterator[Event]:
        """Yield all that is held, not before `time`: no more data comes."""
        while self._held:
            yield from self._next(time)

    def _data(self, event: Event) -> Iterator[Event]:
        data = event.data
        while self._held and (cut := self._held[0][0] - self._size) < len(data):
            self._size += cut
            if cut:
                yield event._replace(data=data[:cut])
            data = data[cut:]
            yield from self._next(event.time)
        self._size += len(data)
        yield event._replace(data=data)
        yield from self._reached(event.time)

    def _reached(self, time: float) -> Iterator[Event]:
        while self._held and self._held[0][0] <= self._size:
            yield from self._next(time)

    def _next(self, time: float) -> Iterator[Event]:
        mark = self._held.popleft()[1]
        time = max(time, mark.time)
        yield mark._replace(time=time)
        yield Event(time, STREAM_OF[mark.kind], mark.data[:1])
