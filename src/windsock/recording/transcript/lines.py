"""The lines of one connection: what passed in a row in one direction, or happened repeatedly, is one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from windsock.net import addresses
from windsock.recording.connection import Connection
from windsock.recording.events import Kind
from windsock.recording.redacted import redacted
from windsock.recording.transcript.data import shown
from windsock.recording.transcript.events import DATA, PREVIEW, event_text

__all__ = ["OPENED", "TranscriptLine", "lines_of"]

OPENED, ENDED = -1, -2
"""Kinds of lines that are no events: the beginning of a connection, and its end."""
ONCE = (Kind.CLIENT_EOF, Kind.CLIENT_RESET, Kind.HALF_CLOSE)
"""What happens once, however often a handler sees or does it."""


@dataclass(slots=True)
class TranscriptLine:
    """One line: an event, or several of a kind. Times are monotonic seconds.

    Of data there are `count` pieces of `size` bytes in all, of which `data` is the beginning; otherwise there is
    `text`, and also of data that ends with a message of the protocol. `latest` is when the last of them was.
    """

    time: float
    kind: int
    text: str = ""
    data: bytes = b""
    size: int = 0
    count: int = 1
    latest: float = 0.0

    def words(self, start: float) -> str:
        """Return the text of the line; times are seconds since `start`."""
        if self.kind not in DATA:
            return self.text if self.count == 1 else f"{self.text} ({self.count:,} times, until {self._until(start)})"
        pieces = "" if self.count == 1 else f" in {self.count:,} pieces, until {self._until(start)}:"
        sign = ">" if self.kind == Kind.UP else "<"
        return f"{sign} {self.size:,} B{pieces} {self.text or shown(self.data, self.size)}"

    def _until(self, start: float) -> str:
        return f"+{self.latest - start:.4f}"

    def take(self, time: float, data: bytes) -> None:
        """Make another event a part of this line."""
        self.count += 1
        self.latest = time
        self.size += len(data)
        if len(self.data) < PREVIEW:
            self.data += data[: PREVIEW - len(self.data)]


def lines_of(connection: Connection) -> Iterator[TranscriptLine]:
    """Give the lines of a connection in the order of time. The last one says how it ended, if it has."""
    last = connection.begins
    yield TranscriptLine(last, OPENED, _from(connection), b"", 0, 1, last)
    for line in _events_of(connection):
        if line.time < last:  # of a child, or of another thread
            line.time = last
        last = max(line.time, line.latest)
        yield line
    if (closed := connection.closed) is not None:
        yield TranscriptLine(max(last, closed), ENDED, f"ended: {connection.ending}{_left_of(connection)}")


def _from(connection: Connection) -> str:
    is_new = connection.begins == connection.opened
    return f"from {addresses.show(connection.peer)}{'' if is_new else ', connected before this test'}"


def _events_of(connection: Connection) -> Iterator[TranscriptLine]:
    line: TranscriptLine | None = None
    words = _Words(connection)
    has_units = connection.is_datagram or connection.keeps_records
    for time, kind, data, message in _with_messages(connection):
        if kind in DATA:
            if line is not None and line.kind == kind and not (has_units or line.text):  # a datagram has a line
                line.take(time, data)
                line.text = message
                continue
            if not data and kind == Kind.DOWN and not has_units:
                continue
            following = TranscriptLine(time, kind, message, data[:PREVIEW], len(data), 1, time)
        else:
            if not (text := words.of(kind, data)):
                continue
            if line is not None and line.text == text:
                line.take(time, b"")
                continue
            following = TranscriptLine(time, kind, text, b"", 0, 1, time)
        if line is not None:
            yield line
        line = following
    if line is not None:
        yield line


def _with_messages(connection: Connection) -> Iterable[tuple[float, int, bytes, str]]:
    """Give the events, each with the message of the protocol that it completes in words."""
    events = redacted(connection)
    if connection.protocol is None:
        return ((*each, "") for each in events)
    from windsock.recording.transcript.messages import with_messages

    return with_messages(events, connection.protocol, is_datagram=connection.is_datagram)


class _Words:
    """The events of a connection in words: nothing of those that are not worth a line, or are no news."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._seen: set[int] = set()

    def of(self, kind: int, data: bytes) -> str:
        """Return what a line says of an event."""
        if kind in self._seen:
            return ""
        if kind == Kind.TLS_END:
            self._seen.clear()  # what ended before was TLS
        elif kind in ONCE:
            self._seen.add(kind)
        return event_text(kind, data, self._connection)


def _left_of(connection: Connection) -> str:
    """Return what was left over at the end of a connection."""
    left = {"unsent": connection.unsent, "unread": connection.unread}
    return "".join(f", {size:,} B {what}" for what, size in left.items() if size)
