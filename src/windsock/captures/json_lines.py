"""Recordings as JSON lines (https://jsonlines.org): one object for each event, for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from windsock import redaction
from windsock.captures.files import new_file
from windsock.net import addresses
from windsock.net.system import monotonic, wall_clock
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.recording.redacted import redacted
from windsock.recording.store.spill_file import Event
from windsock.recording.transcript.events import DATA, firing_text, in_words
from windsock.recording.transcript.subjects import CaptureSubject, start_of
from windsock.recording.transcript.timeline import merged
from windsock.recording.urgency import STREAM_OF, urgent_byte

if TYPE_CHECKING:
    from windsock.faults import Firing

__all__ = ["NAMES", "ConnectionEvents", "EventEncoder", "NamedEvent", "fault_event", "write_events"]

NamedEvent: TypeAlias = tuple[float, str, int | None, dict[str, Any]]
"""When it was, in monotonic seconds; the server; the index of the connection, or None; the other keys."""

UP, DOWN = "upstream", "downstream"
NAMES = {
    Kind.UP: ("data", UP),
    Kind.DOWN: ("data", DOWN),
    Kind.CLIENT_EOF: ("eof", UP),
    Kind.CLIENT_RESET: ("reset", UP),
    Kind.HALF_CLOSE: ("eof", DOWN),
    Kind.SERVER_RESET: ("reset", DOWN),
    Kind.CLOSE: ("close", DOWN),
    Kind.TIMEOUT: ("timeout", None),
    Kind.ERROR: ("error", None),
    Kind.TAKEN: ("process", None),
    Kind.TLS: ("tls", None),
    Kind.TLS_END: ("tls end", None),
    Kind.TLS_ALERT: ("tls alert", UP),
    Kind.REFUSED: ("refused", None),
    Kind.FAULT: ("fault", None),
    Kind.SCRIPT: ("script", None),
    Kind.NOTE: ("note", None),
    Kind.URGENT_UP: ("urgent", UP),
    Kind.URGENT_DOWN: ("urgent", DOWN),
}
"""The kind and the direction of each event that is written. The others are notes of windsock to itself."""


def write_events(path: str, subjects: Sequence[CaptureSubject]) -> None:
    """Write one object a line for each event, in the order of time. Raises OSError if it cannot be written.

    The file takes the place of an older one once it is whole; docs/captures.md lists the keys.
    """
    pairs = [(subject, connection) for subject in subjects for connection in subject.connections]
    sources = [(connection.begins, partial(_whole, subject, connection)) for subject, connection in pairs]
    sources += [(each.firings[0].at, partial(_firings, each)) for each in subjects if each.firings]
    encoder = EventEncoder(start_of(subjects))
    with new_file(path) as file:
        for named in merged(sources, lambda read: read()):
            file.write(encoder.line(named).encode() + b"\n")


class EventEncoder:
    """Writes events as JSON; `start` is the time of their zero, in monotonic seconds."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._epoch = wall_clock() - monotonic()
        self._encode = json.JSONEncoder().encode

    def line(self, named: NamedEvent) -> str:
        """Return the object of an event, without the end of the line."""
        time, server, connection, what = named
        place = {"time": round(time + self._epoch, 6), "elapsed": round(time - self._start, 6)}
        return self._encode(place | {"server": server, "connection": connection} | what)


def _whole(subject: CaptureSubject, connection: Connection) -> Iterator[tuple[float, NamedEvent]]:
    """Give the events of a connection with their times, as `merged` takes them."""
    events = ConnectionEvents(subject.name, subject.address, connection)
    for each in chain([events.first()], events.of(redacted(connection)), events.last()):
        yield each[0], each


class ConnectionEvents:
    """The events of a connection, all at once or batch by batch; each with its time and what it belongs to."""

    def __init__(self, server: str, address: addresses.Address, connection: Connection) -> None:
        self._server = server
        self._address = address
        self._connection = connection
        self._last = connection.begins

    def first(self) -> NamedEvent:
        """Return the event that opens it."""
        addressed = {"peer": addresses.show(self._connection.peer), "address": addresses.show(self._address)}
        what = {"kind": "open", "direction": UP, "datagram": self._connection.is_datagram} | addressed
        return self._named(self._last, what)

    def of(self, events: Iterable[Event]) -> Iterator[NamedEvent]:
        """Give its next events."""
        for each in events:
            if each.kind in NAMES:
                self._last = max(self._last, each.time)
                yield self._named(self._last, _described(each, self._connection))

    def last(self) -> Iterator[NamedEvent]:
        """Give the event that ends it, if it has ended."""
        if (closed := self._connection.closed) is not None:
            what = {"kind": "end", "direction": None, "text": str(self._connection.ending)}
            yield self._named(max(self._last, closed), what)

    def _named(self, time: float, what: dict[str, Any]) -> NamedEvent:
        return time, self._server, self._connection.index, what


def _firings(subject: CaptureSubject) -> Iterator[tuple[float, NamedEvent]]:
    return ((each.at, fault_event(subject.name, each)) for each in subject.firings)


def fault_event(server: str, firing: Firing) -> NamedEvent:
    """Return the event of what a fault did that is recorded with no connection."""
    what = {"kind": "fault", "direction": firing.direction or None, "text": firing_text(firing)}
    return firing.at, server, None, what


def _described(event: Event, connection: Connection) -> dict[str, Any]:
    _, kind, data = event
    name, direction = NAMES[kind]
    found: dict[str, Any] = {"kind": name, "direction": direction}
    if kind in DATA:
        return found | {"size": len(data)} | _content(data)
    if kind in STREAM_OF:
        byte = urgent_byte(event)
        return found | {"position": byte.position, "inline": byte.is_inline} | _content(byte.data)
    text = redaction.text(data.decode()) if kind in (Kind.TAKEN, Kind.SCRIPT) else in_words(event, connection)
    return found | {"text": text} if text else found


def _content(data: bytes) -> dict[str, str]:
    """Return the data as text if it is UTF-8, otherwise in base64; nothing is lost either way."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        import base64

        return {"base64": base64.b64encode(data).decode()}
