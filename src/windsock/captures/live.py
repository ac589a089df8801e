"""Recordings while they go on: the lines since the last look, as a transcript or as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from windsock.captures.json_lines import ConnectionEvents, EventEncoder, NamedEvent, fault_event
from windsock.recording import Connection
from windsock.recording.redacted import NewEvents
from windsock.recording.store.spill_file import Event
from windsock.recording.transcript.lines import ConnectionLines, TranscriptLine
from windsock.recording.transcript.subjects import RecordedServer
from windsock.recording.transcript.transcript import fault_line, in_full

if TYPE_CHECKING:
    from windsock.faults import Firing

__all__ = ["JSONStyle", "Live", "TranscriptStyle"]

Written: TypeAlias = tuple[float, str]
"""A line, and when what it says was, in monotonic seconds."""


class Parts(Protocol):
    """What is said of one connection, batch by batch."""

    def first(self) -> Any:
        """Return what is said of its beginning."""
        ...

    def of(self, events: Iterable[Event]) -> Iterator[Any]:
        """Give what is said of its next events."""
        ...

    def last(self) -> Iterator[Any]:
        """Give what is said of its end, if it has ended."""
        ...


class Style(Protocol):
    """How lines are written."""

    def parts(self, connection: Connection) -> Parts:
        """Return what is said of a connection."""
        ...

    def written(self, connection: Connection, part: Any) -> Written:
        """Return the line for a part."""
        ...

    def of_firing(self, firing: Firing) -> str:
        """Return the line for what a fault did that is recorded with no connection."""
        ...


class TranscriptStyle:
    """Lines of a transcript; their times are seconds since `start`, in monotonic seconds."""

    def __init__(self, start: float) -> None:
        self._start = start

    def parts(self, connection: Connection) -> ConnectionLines:
        """See Style."""
        return ConnectionLines(connection)

    def written(self, connection: Connection, part: TranscriptLine) -> Written:
        """See Style."""
        return part.time, in_full((f"#{connection.index} ", part), self._start)

    def of_firing(self, firing: Firing) -> str:
        """See Style."""
        return in_full(("", fault_line(firing)), self._start)


class JSONStyle:
    """JSON lines; `elapsed` is since `start`, in monotonic seconds."""

    def __init__(self, server: RecordedServer, start: float) -> None:
        self._server = server
        self._encoder = EventEncoder(start)

    def parts(self, connection: Connection) -> ConnectionEvents:
        """See Style."""
        return ConnectionEvents(self._server.name, self._server.address, connection)

    def written(self, connection: Connection, part: NamedEvent) -> Written:  # noqa: ARG002  # the events name theirs
        """See Style."""
        return part[0], self._encoder.line(part)

    def of_firing(self, firing: Firing) -> str:
        """See Style."""
        return self._encoder.line(fault_event(self._server.name, firing))


class Live:
    """The recording of one server or proxy, in lines, while it runs."""

    def __init__(self, server: RecordedServer, style: Style) -> None:
        self._server = server
        self._style = style
        self._known = 0
        self._open: list[_Followed] = []
        self._latest_firing = -math.inf

    def lines(self) -> list[str]:
        """Return the lines since the last call, in the order of time. The end of a connection comes one call later."""
        connections = self._server.connections
        self._open += [_Followed(each, self._style) for each in connections[self._known :]]
        self._known = len(connections)
        found = [line for each in self._open for line in each.lines()]
        self._open = [each for each in self._open if not each.is_over]
        found += self._firings()
        return [text for _, text in sorted(found, key=lambda each: each[0])]

    def _firings(self) -> list[Written]:
        new = [each for each in self._server.unrecorded_firings() if each.at > self._latest_firing]
        self._latest_firing = max((each.at for each in new), default=self._latest_firing)
        return [(each.at, self._style.of_firing(each)) for each in new]


class _Followed:
    """One connection, from its beginning to its end."""

    def __init__(self, connection: Connection, style: Style) -> None:
        self.is_over = False
        self._connection = connection
        self._style = style
        self._parts = style.parts(connection)
        self._events = NewEvents(connection)
        self._is_new = True
        self._is_closed = False

    def lines(self) -> Iterator[Written]:
        """Give its lines since the last call."""
        return (self._style.written(self._connection, each) for each in self._new_parts())

    def _new_parts(self) -> Iterator[Any]:
        if self._is_new:
            self._is_new = False
            yield self._parts.first()
        self.is_over, self._is_closed = self._is_closed, self._connection.is_closed
        yield from self._parts.of(self._events.take())
        if self.is_over:
            yield from self._parts.last()
