"""Conclusions about a failed test, as notes on its exception, once for each test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from pytest_windsock import past_threads, phases
from pytest_windsock.fixtures import State
from windsock.findings import findings_for
from windsock.recording.notes import FindingNote, TranscriptNote

__all__ = ["add_notes"]

NO_FAILURES = (pytest.skip.Exception, pytest.xfail.Exception, pytest.exit.Exception, KeyboardInterrupt)


def add_notes(error: BaseException) -> None:
    """Say in notes on the test's exception what probably has led to it, at the first failure of the test.

    What the `with` of a server has concluded already is not concluded again, and what it has shown of the recording is
    for the report's sections. What fails here is not a failure of the test.
    """
    concluded = [note.removeprefix("windsock: ") for note in _take_notes(error)]
    if State.has_failed or isinstance(error, NO_FAILURES):
        return
    State.has_failed = True
    with contextlib.suppress(Exception, pytest.fail.Exception):
        found = concluded or findings_for(
            phases.servers_to_show(),
            error,
            since=State.part_began,
            programs=State.programs,
            without_threads=past_threads.idents(),
        )
        if not concluded:
            for sentence in found:
                error.add_note(f"windsock: {sentence}")
        State.conclusions += [each for each in found if each not in State.conclusions]  # of several parts of a test


def _take_notes(error: BaseException) -> Iterator[str]:
    """Remove the transcripts from the notes of an exception and its members; give the conclusions, which stay."""
    notes = getattr(error, "__notes__", [])
    notes[:] = [each for each in notes if not isinstance(each, TranscriptNote)]
    yield from (each for each in notes if isinstance(each, FindingNote))
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _take_notes(each)
