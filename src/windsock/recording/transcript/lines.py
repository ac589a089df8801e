"""The lines of one connection: what passed in a row in one direction, or happened repeatedly, is one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from windsock.net import addresses
from windsock.recording.connection import Connection
from windsock.recording.events import Kind
from windsock.recording.redacted import redacted
from windsock.recording.store.spill_file import Event
from windsock.recording.transcript.data import shown
from windsock.recording.transcript.events import DATA, PREVIEW, event_text

__all__ = ["OPENED", "ConnectionLines", "TranscriptLine", "lines_of"]

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
    lines = ConnectionLines(connection)
    yield lines.first()
    yield from lines.of(redacted(connection))
    yield from lines.last()


class ConnectionLines:
    """The lines of a connection in the order of time, all at once or batch by batch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._words = _Words(connection)
        self._with_messages = _messages_of(connection)
        self._last = connection.begins

    def first(self) -> TranscriptLine:
        """Return the line that says where it comes from."""
        return TranscriptLine(self._last, OPENED, _from(self._connection), b"", 0, 1, self._last)

    def of(self, events: Iterable[Event]) -> Iterator[TranscriptLine]:
        """Give the lines of its next events."""
        for line in self._joined(self._with_messages(events)):
            if line.time < self._last:  # of a child, or of another thread
                line.time = self._last
            self._last = max(line.time, line.latest)
            yield line

    def last(self) -> Iterator[TranscriptLine]:
        """Give the line that says how it ended, if it has."""
        if (closed := self._connection.closed) is not None:
            how = f"ended: {self._connection.ending}{_left_of(self._connection)}"
            yield TranscriptLine(max(self._last, closed), ENDED, how)

    def _joined(self, events: Iterable[tuple[float, int, bytes, str]]) -> Iterator[TranscriptLine]:
        line: TranscriptLine | None = None
        has_units = self._connection.is_datagram or self._connection.keeps_records
        for time, kind, data, message in events:
            if kind in DATA:
                if line is not None and line.kind == kind and not (has_units or line.text):  # a datagram has a line
                    line.take(time, data)
                    line.text = message
                    continue
                if not data and kind == Kind.DOWN and not has_units:
                    continue
                following = TranscriptLine(time, kind, message, data[:PREVIEW], len(data), 1, time)
            else:
                if not (text := self._words.of(kind, data)):
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


def _from(connection: Connection) -> str:
    is_new = connection.begins == connection.opened
    return f"from {addresses.show(connection.peer)}{'' if is_new else ', connected before this test'}"


def _messages_of(
    connection: Connection,
) -> Callable[[Iterable[Event]], Iterable[tuple[float, int, bytes, str]]]:
    """Return what gives the events, each with the message of the protocol that it completes in words."""
    if connection.protocol is None:
        return lambda events: ((*each, "") for each in events)
    from windsock.recording.transcript.messages import WithMessages

    return WithMessages(connection.protocol, is_datagram=connection.is_datagram).of


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
