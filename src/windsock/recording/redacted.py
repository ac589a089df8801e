"""The events of a connection as they may be shown: with secrets masked, however the traffic was cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count

from windsock.recording.connection import Connection
from windsock.recording.events import Kind
from windsock.recording.store.spill_file import Event
from windsock.recording.unsent import cuts_in, without
from windsock.recording.urgency import STREAM_OF, located
from windsock.redaction import MaskedStream

__all__ = ["NewEvents", "redacted"]

DATA = (Kind.UP, Kind.DOWN)


def redacted(connection: Connection) -> Iterator[Event]:
    """Yield the events as `connection.settled()` does, with secrets masked in their data.

    Each direction of a stream is looked at as a whole, a little ahead; datagrams are looked at one by one. The data of
    an error is its number among `connection.errors`.
    """
    events = _with_numbers(connection.settled(), count())
    streams = {kind: MaskedStream(_pieces(connection, kind)) for kind in DATA}
    return _with_masks(events, None if connection.is_datagram else streams)


class NewEvents:
    """The events of a connection as they may be shown, batch by batch, while the connection goes on.

    A stream is looked at as a whole here too, but not ahead: a secret that is not complete at the end of a batch is
    masked in that batch if what has come of it shows that it is one. Data that is retracted later has been shown.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read = 0
        self._numbers = count()
        self._sizes = dict.fromkeys(DATA, 0)
        self._pieces = {kind: _Pieces() for kind in DATA}
        self._streams = {kind: MaskedStream(self._pieces[kind]) for kind in DATA}

    def take(self) -> list[Event]:
        """Return the events since the last call."""
        batch = list(self._connection.events(self._read))
        if batch and batch[-1].kind in STREAM_OF and not batch[-1].data:
            del batch[-1]  # a mark, whose byte comes next
        self._read += len(batch)
        settled = list(located(without(batch, cuts_in(batch)), self._sizes))
        if self._connection.is_datagram:
            return list(_with_masks(_with_numbers(iter(settled), self._numbers), None))
        for each in settled:
            if each.kind in DATA:
                self._pieces[each.kind].add(each.data)
        return list(_with_masks(_with_numbers(iter(settled), self._numbers), self._streams))


class _Pieces(Iterator[bytes]):
    """Pieces of a stream, as they come: at its end for now, it goes on with the next one that is added."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()

    def add(self, piece: bytes) -> None:
        self._waiting.append(piece)

    def __next__(self) -> bytes:
        if not self._waiting:
            raise StopIteration
        return self._waiting.popleft()


def _with_masks(events: Iterator[Event], streams: dict[int, MaskedStream] | None) -> Iterator[Event]:
    """Mask the data of the events; without streams, each is a datagram."""
    for each in events:
        if each.kind not in DATA:
            yield each
        elif streams is None:
            yield _with_data(each, _masked(each.data))
        else:
            yield _with_data(each, streams[each.kind].take(len(each.data)))


def _with_numbers(events: Iterator[Event], numbers: Iterator[int]) -> Iterator[Event]:
    return (_with_data(each, b"%d" % next(numbers)) if each.kind == Kind.ERROR else each for each in events)


def _masked(datagram: bytes) -> bytes:
    return MaskedStream(iter([datagram])).take(len(datagram))


def _with_data(event: Event, data: bytes) -> Event:
    return Event(event.time, event.kind, data)


def _pieces(connection: Connection, kind: int) -> Iterator[bytes]:
    return (each.data for each in connection.settled() if each.kind == kind)
