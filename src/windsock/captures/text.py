"""Transcripts as files: all that was recorded of all servers of a test, a line for each thing that happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from windsock.captures.files import new_file
from windsock.recording.transcript.subjects import CaptureSubject
from windsock.recording.transcript.transcript import Transcript

__all__ = ["transcript_lines", "write_lines", "write_transcript"]

LINES = 1000
"""Lines that are written at a time."""


def write_transcript(path: str, subjects: Sequence[CaptureSubject]) -> None:
    """Write all that was recorded to a text file, in UTF-8. Raises OSError if it cannot be written.

    The file takes the place of an older one once it is whole.
    """
    write_lines(path, Transcript(subjects))


def write_lines(path: str, transcript: Transcript) -> None:
    """Write a transcript likewise."""
    with new_file(path) as file:
        lines = transcript_lines(transcript)
        while some := list(islice(lines, LINES)):
            file.write("\n".join([*some, ""]).encode(errors="backslashreplace"))


def transcript_lines(transcript: Transcript) -> Iterator[str]:
    """Give what the transcript is about, all its lines, the connections that are open, and the seeds of faults."""
    yield from transcript.heading
    yield ""
    yield from transcript.lines()
    yield from transcript.still_open()
    faults = list(transcript.faults)
    if faults:
        yield from ("", "faults:", *faults)
