"""Recordings as JSON lines (https://jsonlines.org): one object for each event, for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

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

__all__ = ["NAMES", "write_events"]

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
    start, epoch = start_of(subjects), wall_clock() - monotonic()
    pairs = [(subject, connection) for subject in subjects for connection in subject.connections]
    sources = [(connection.begins, partial(_events, subject, connection)) for subject, connection in pairs]
    sources += [(each.firings[0].at, partial(_firings, each)) for each in subjects if each.firings]
    encode = json.JSONEncoder().encode
    with new_file(path) as file:
        for time, server, connection, what in merged(sources, lambda read: read()):
            place = {"time": round(time + epoch, 6), "elapsed": round(time - start, 6)}
            file.write(encode(place | {"server": server, "connection": connection} | what).encode() + b"\n")


def _events(subject: CaptureSubject, connection: Connection) -> Iterator[tuple[float, Any]]:
    """Give the events of a connection with their times, as `merged` takes them."""

    def event(time: float, what: dict[str, Any]) -> tuple[float, Any]:
        return time, (time, subject.name, connection.index, what)

    last = connection.begins
    addressed = {"peer": addresses.show(connection.peer), "address": addresses.show(subject.address)}
    yield event(last, {"kind": "open", "direction": UP, "datagram": connection.is_datagram} | addressed)
    for each in redacted(connection):
        if each.kind in NAMES:
            last = max(last, each.time)
            yield event(last, _described(each, connection))
    if (closed := connection.closed) is not None:
        yield event(max(last, closed), {"kind": "end", "direction": None, "text": str(connection.ending)})


def _firings(subject: CaptureSubject) -> Iterator[tuple[float, Any]]:
    for each in subject.firings:
        what = {"kind": "fault", "direction": each.direction or None, "text": firing_text(each)}
        yield each.at, (each.at, subject.name, None, what)


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
