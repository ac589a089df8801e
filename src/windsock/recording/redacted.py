"""The events of a connection as they may be shown: with secrets masked, however the traffic was cut."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.recording.connection import Connection
from windsock.recording.events import Kind
from windsock.recording.store.spill_file import Event
from windsock.redaction import MaskedStream

__all__ = ["redacted"]

DATA = (Kind.UP, Kind.DOWN)


def redacted(connection: Connection) -> Iterator[Event]:
    """Yield the events as `connection.settled()` does, with secrets masked in their data.

    Each direction of a stream is looked at as a whole, a little ahead; datagrams are looked at one by one. The data of
    an error is its number among `connection.errors`.
    """
    events = _with_numbers(connection.settled())
    if connection.is_datagram:
        return (_with_data(each, _masked(each.data)) if each.kind in DATA else each for each in events)
    streams = {kind: MaskedStream(_pieces(connection, kind)) for kind in DATA}
    return (_with_data(each, streams[each.kind].take(len(each.data))) if each.kind in DATA else each for each in events)


def _with_numbers(events: Iterator[Event]) -> Iterator[Event]:
    number = 0
    for each in events:
        if each.kind == Kind.ERROR:
            yield _with_data(each, str(number).encode())
            number += 1
        else:
            yield each


def _masked(datagram: bytes) -> bytes:
    return MaskedStream(iter([datagram])).take(len(datagram))


def _with_data(event: Event, data: bytes) -> Event:
    return Event(event.time, event.kind, data)


def _pieces(connection: Connection, kind: int) -> Iterator[bytes]:
    return (each.data for each in connection.settled() if each.kind == kind)
