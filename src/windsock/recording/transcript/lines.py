"""The lines of one connection: what passed in a row in one direction, or happened repeatedly, is one line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from windsock.net import addresses
from windsock.recording.connection import Connection
from windsock.recording.events import Kind
from windsock.recording.store.spill_file import Event
from windsock.recording.transcript.data import shown
from windsock.recording.transcript.events import DATA, PREVIEW, event_text

__all__ = ["OPENED", "Line", "lines_of"]

OPENED, ENDED = -1, -2
"""Kinds of lines that are no events: the beginning of a connection, and its end."""
ONCE = (Kind.CLIENT_EOF, Kind.CLIENT_RESET, Kind.HALF_CLOSE)
"""What happens once, however often a handler sees or does it."""


@dataclass(slots=True)
class Line:
    """One line: an event, or several of a kind. Times are monotonic seconds.

    Of data there are `count` pieces of `size` bytes in all, of which `data` is the beginning; otherwise there is
    `text`. `latest` is when the last of them was.
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
        return f"{sign} {self.size:,} B{pieces} {shown(self.data, self.size)}"

    def _until(self, start: float) -> str:
        return f"+{self.latest - start:.4f}"

    @property
    def key(self) -> tuple[int, int, bytes, str]:
        """What makes it the same line as one of another connection."""
        return self.kind, self.size, self.data, self.text

    def take(self, event: Event) -> None:
        """Make another event a part of this line."""
        self.count += 1
        self.latest = event.time
        self.size += len(event.data)
        if len(self.data) < PREVIEW:
            self.data += event.data[: PREVIEW - len(self.data)]


def lines_of(connection: Connection) -> Iterator[Line]:
    """Give the lines of a connection in the order of time. The last one says how it ended, if it has."""
    last = connection.opened
    yield Line(last, OPENED, f"from {addresses.show(connection.peer)}", latest=last)
    for line in _events_of(connection):
        line.time = max(last, line.time)
        last = max(line.time, line.latest)
        yield line
    if (closed := connection.closed) is not None:
        yield Line(max(last, closed), ENDED, f"ended: {connection.ending}{_left_of(connection)}")


def _events_of(connection: Connection) -> Iterator[Line]:
    line: Line | None = None
    seen: set[int] = set()
    for event in connection.settled():
        following = _line(event, connection, seen)
        if following is None:
            continue
        if line is not None and _belongs(following, line, connection):
            line.take(event)
            continue
        if line is not None:
            yield line
        line = following
    if line is not None:
        yield line


def _belongs(following: Line, line: Line, connection: Connection) -> bool:
    """Return whether a line goes on with what comes next. Each datagram is a line."""
    if following.kind in DATA:
        return following.kind == line.kind and not connection.is_datagram
    return (following.kind, following.text) == (line.kind, line.text)


def _line(event: Event, connection: Connection, seen: set[int]) -> Line | None:
    """Return the line of an event; None for one that is not worth it."""
    time, kind, data = event
    if kind in DATA:
        is_nothing = kind == Kind.DOWN and not data and not connection.is_datagram
        return None if is_nothing else Line(time, kind, data=data[:PREVIEW], size=len(data), latest=time)
    text = event_text(kind, data, connection)
    if not text or kind in seen:
        return None
    if kind == Kind.TLS_END:
        seen.clear()  # what ended before was TLS
    elif kind in ONCE:
        seen.add(kind)
    return Line(time, kind, text, latest=time)


def _left_of(connection: Connection) -> str:
    """Return what was left over at the end of a connection."""
    left = {"unsent": connection.unsent, "unread": connection.unread}
    return "".join(f", {size:,} B {what}" for what, size in left.items() if size)
