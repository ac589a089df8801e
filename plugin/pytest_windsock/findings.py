"""Conclusions about a failed test, as notes on its exception, once for each test."""

from __future__ import annotations

import contextlib

import pytest

from pytest_windsock import phases
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
    notes = getattr(error, "__notes__", [])
    notes[:] = [each for each in notes if not isinstance(each, TranscriptNote)]
    if State.has_failed or isinstance(error, NO_FAILURES):
        return
    State.has_failed = True
    with contextlib.suppress(Exception, pytest.fail.Exception):
        found = [each.removeprefix("windsock: ") for each in notes if isinstance(each, FindingNote)]
        if not found:
            found = findings_for(phases.servers_to_show(), error)
            for sentence in found:
                error.add_note(f"windsock: {sentence}")
        State.conclusions += [each for each in found if each not in State.conclusions]  # of several parts of a test
