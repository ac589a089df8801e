"""Transcripts as files: all that was recorded of all servers of a test, a line an event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

from windsock import redaction
from windsock.captures.files import new_file
from windsock.captures.subjects import CaptureSubject, start_of
from windsock.captures.timeline import merged
from windsock.captures.words import of_firing
from windsock.net import addresses
from windsock.recording import Connection
from windsock.recording.redacted import redacted
from windsock.recording.transcript import event_text

__all__ = ["transcript_lines", "write_transcript"]

LINES = 1000
"""Lines that are written at a time."""


def write_transcript(path: str, subjects: Sequence[CaptureSubject]) -> None:
    """Write all that was recorded to a text file, in UTF-8. Raises OSError if it cannot be written.

    The file takes the place of an older one once it is whole.
    """
    with new_file(path) as file:
        lines = transcript_lines(subjects)
        while some := list(islice(lines, LINES)):
            file.write("\n".join([*some, ""]).encode(errors="backslashreplace"))


def transcript_lines(subjects: Sequence[CaptureSubject]) -> Iterator[str]:
    """Give the servers, all events on one timeline, and what faults did. Times are seconds since the first connection.

    With several servers each line names the one that it is about.
    """
    start = start_of(subjects)
    for subject in subjects:
        yield redaction.line(subject.description or subject.name)
    yield ""
    pairs = [(subject, connection) for subject in subjects for connection in subject.connections]
    names = {id(each): f"{each.name} " if len(subjects) > 1 else "" for each in subjects}
    sources = [(connection.opened, partial(_lines, names[id(subject)], connection)) for subject, connection in pairs]
    sources += [(each.firings[0].at, partial(_firings, names[id(each)], each)) for each in subjects if each.firings]
    yield from merged(sources, lambda read: read(start))
    if not sources:
        yield "nothing was recorded"
    for subject in subjects:
        if subject.fault_lines:
            yield from ("", f"faults of {subject.name}:", *map(redaction.line, subject.fault_lines))


def _lines(name: str, connection: Connection, start: float) -> Iterator[tuple[float, str]]:
    who = f"{name}#{connection.index}"
    last = connection.opened
    yield last, f"+{last - start:.4f} {who} from {addresses.show(connection.peer)}"
    for event in redacted(connection):
        if text := event_text(event.kind, event.data, connection):
            last = max(last, event.time)
            yield last, f"+{last - start:.4f} {who} {text}"
    if (closed := connection.closed) is not None:
        last = max(last, closed)
        yield last, f"+{last - start:.4f} {who} ended: {connection.ending}"


def _firings(name: str, subject: CaptureSubject, start: float) -> Iterator[tuple[float, str]]:
    for each in subject.firings:
        yield each.at, f"+{each.at - start:.4f} {name}~ {of_firing(each)}"
