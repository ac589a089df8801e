"""The transcript of one recording, for error messages and for `transcript()` of servers and proxies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from windsock.recording.transcript.excerpt import excerpt
from windsock.recording.transcript.subjects import CaptureSubject
from windsock.recording.transcript.transcript import Transcript

if TYPE_CHECKING:
    from windsock.faults import Firing
    from windsock.recording.recorder import Recorder

__all__ = ["summary", "transcript"]

OF_SUMMARY = 12


def transcript(recorder: Recorder, firings: Sequence[Firing] = ()) -> list[str]:
    """Return the recording in the order of time, limited in length; `firings` are those that it does not have.

    Times are in seconds since the first connection; `>` is upstream, `<` downstream.
    """
    recorder.settle()
    return excerpt(_transcript(recorder, firings))[0]


def summary(recorder: Recorder) -> str:
    """Return a few lines about the recording, for error messages."""
    recorder.settle()
    return "\n".join(f"  {line}" for line in excerpt(_transcript(recorder), OF_SUMMARY)[0])


def _transcript(recorder: Recorder, firings: Sequence[Firing] = ()) -> Transcript:
    return Transcript(
        [CaptureSubject("", None, list(recorder.connections), firings=firings, changes=tuple(recorder.changes))]
    )
