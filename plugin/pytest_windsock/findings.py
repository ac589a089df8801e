"""Conclusions about a failed test, as notes on its exception, once for each test."""

from __future__ import annotations

import contextlib

import pytest

from pytest_windsock.fixtures import State
from windsock.findings import findings_for

__all__ = ["add_notes"]

NO_FAILURES = (pytest.skip.Exception, pytest.xfail.Exception, pytest.exit.Exception, KeyboardInterrupt)


def add_notes(error: BaseException) -> None:
    """Say in notes on the test's exception what probably has led to it, at the first failure of the test.

    What fails here is not a failure of the test.
    """
    if State.has_failed or isinstance(error, NO_FAILURES):
        return
    State.has_failed = True
    with contextlib.suppress(Exception, pytest.fail.Exception):
        State.conclusions = findings_for(State.servers, error)
        for sentence in State.conclusions:
            error.add_note(f"windsock: {sentence}")
