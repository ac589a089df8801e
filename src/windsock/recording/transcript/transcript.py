"""The transcript of several servers and proxies: one zero, and one line for each thing that happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING, TypeAlias

from windsock import redaction
from windsock.errors import visible
from windsock.recording.changes import Change
from windsock.recording.connection import Connection
from windsock.recording.transcript.events import firing_text
from windsock.recording.transcript.lines import TranscriptLine, lines_of
from windsock.recording.transcript.subjects import CaptureSubject, start_of
from windsock.recording.transcript.timeline import merged

if TYPE_CHECKING:
    from windsock.faults import Firing

__all__ = ["NOTHING", "Mark", "Named", "Places", "Transcript", "fault_line", "in_full"]

NOTHING = "nothing was recorded"
FIRING, MARK = -3, -4
"""Kinds of lines that are not from the record of a connection."""

Mark: TypeAlias = tuple[float, str]
"""What happened in the test, and when, in monotonic seconds."""
Places: TypeAlias = Sequence[Mapping[int, str]]
"""What handlers do, for each subject, by the index of the connection."""
Named: TypeAlias = tuple[str, TranscriptLine]
"""A line, and the name of what it is about."""


class Transcript:
    """What the servers and proxies of a test recorded, in words. Times are seconds since the first thing recorded.

    With several subjects each line names the one that it is about. `marks` are lines of their own.
    """

    def __init__(self, subjects: Sequence[CaptureSubject], marks: Sequence[Mark] = ()) -> None:
        self.subjects = subjects
        self.start: float = start_of(subjects)
        self._marks = marks
        self._latest: dict[int, float] = {}
        """When the last thing happened on the connections whose lines were read, by their ids."""
        self._has_names = len(subjects) > 1

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was recorded."""
        return not any(each.connections or each.firings or each.changes for each in self.subjects)

    @property
    def heading(self) -> list[str]:
        """What the transcript is about, a line a subject."""
        return [redaction.line(each.description or each.name) for each in self.subjects]

    @property
    def faults(self) -> Iterator[str]:
        """The seeds of the servers and proxies with faults, and which faults have never fired."""
        for each in self.subjects:
            name = f"{each.name}: " if self._has_names else ""
            yield from (redaction.line(f"{name}{line}") for line in each.fault_lines)

    def lines(self) -> Iterator[str]:
        """Give all lines."""
        if self.is_empty:
            yield NOTHING
            return
        sources = [
            (connection.begins, partial(self.of_connection, subject, connection))
            for subject in self.subjects
            for connection in subject.connections
        ]
        others = self.others()
        sources += [(time, partial(iter, [(time, named)])) for time, named in others]
        yield from (self.written(each) for each in merged(sources, lambda read: read()))

    def written(self, named: Named) -> str:
        """Return a line as it is shown."""
        return in_full(named, self.start)

    def of_connection(self, subject: CaptureSubject, connection: Connection) -> Iterator[tuple[float, Named]]:
        """Give the lines of one connection with their times."""
        name = f"{self._name(subject)}#{connection.index} "
        for line in lines_of(connection):
            yield line.time, (name, line)
        self._latest[id(connection)] = max(line.time, line.latest)

    def still_open(self, places: Places = ()) -> Iterator[str]:
        """Give a line for each connection that is open: since when nothing has passed, and what its handler does.

        `places` says the latter for each subject, by the index of the connection. To be called after the other lines
        were read.
        """
        for subject, known in zip(self.subjects, chain(places, repeat({})), strict=False):
            for connection in subject.connections:
                if connection.closed is None:
                    since = f"silent since +{self._latest.get(id(connection), connection.begins) - self.start:.4f}"
                    place = f"; {redaction.line(known[connection.index])}" if connection.index in known else ""
                    yield f"--- {self._name(subject)}#{connection.index} is still open, {since}{place}"

    def others(self) -> list[tuple[float, Named]]:
        """Return the lines that belong to no connection, in the order of time."""
        firings = [
            (each.at, (self._name(subject), fault_line(each))) for subject in self.subjects for each in subject.firings
        ]
        marks: list[tuple[float, Named]] = [
            (time, ("", TranscriptLine(time, MARK, f"--- {text}"))) for time, text in self._marks
        ]
        changes = [(each.at, self._change(subject, each)) for subject in self.subjects for each in subject.changes]
        return sorted([*firings, *changes, *marks], key=lambda each: each[0])

    def _change(self, subject: CaptureSubject, change: Change) -> Named:
        whose = f"{visible(subject.name)}: " if self._has_names else ""
        return "", TranscriptLine(change.at, MARK, f"--- {whose}{change}")

    def _name(self, subject: CaptureSubject) -> str:
        return f"{visible(subject.name)} " if self._has_names else ""


def in_full(named: Named, start: float) -> str:
    """Return a line with its time, in seconds since `start`, and its name."""
    name, line = named
    return f"+{max(0.0, line.time - start):.4f} {name}{line.words(start)}"


def fault_line(firing: Firing) -> TranscriptLine:
    """Return the line for what a fault did that is recorded with no connection."""
    return TranscriptLine(firing.at, FIRING, f"~ {firing_text(firing)}")
