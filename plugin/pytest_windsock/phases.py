"""What surrounds the phases of a test: the watch over hangs, and notes on a failure.

Loaded for each run of pytest, so what it needs is imported on first use.
"""

from __future__ import annotations

import contextlib
import sys

import pytest

from pytest_windsock.fixtures import State

__all__ = ["begin", "conclude", "failed", "passed"]


def begin(item: pytest.Item) -> None:
    """Watch over a phase from its start, if the test has servers or a timeout that is ours to keep.

    Otherwise the watch begins with the first server.
    """
    deadline = sys.modules.get("pytest_windsock.deadline")
    if State.servers or (deadline is not None and deadline.last_resort(item) is not None):
        from pytest_windsock import hangs

        hangs.begin(item)


def passed(item: pytest.Item) -> None:
    """End the watch over a phase that raised nothing. One that hung has failed, whatever it did in the end.

    An exception that pytest keeps for a unittest.TestCase gets its notes.
    """
    __tracebackhide__ = True
    report = _end_of_watch()
    kept = getattr(item, "_excinfo", None)
    if kept:
        _explain(kept[-1].value)
    if report:
        pytest.fail(report, pytrace=False)


def failed(item: pytest.Item, error: BaseException, *, is_teardown: bool = False) -> None:
    """End the watch over a phase, and note on what it raised why that may be.

    Raises pytest.fail.Exception in its place if that is how an event loop that hung was interrupted.
    """
    __tracebackhide__ = True
    report = _end_of_watch() or _report_of_timeout(error)
    if report and report not in str(error):
        if _is_interrupt(error):
            pytest.fail(report)
        error.add_note(report)
    elif State.servers and _is_interrupt(error):
        from pytest_windsock import interrupted

        with contextlib.suppress(Exception):  # the run ends all the same
            interrupted.keep(item, error, State.servers)
    if not is_teardown:
        _explain(error)


def conclude(error: BaseException) -> None:
    """Note what is concluded from the facts of this moment, once for each test."""
    with contextlib.suppress(ImportError):  # imported for failures alone: tests that pass do not pay for it
        from pytest_windsock import findings

        findings.add_notes(error)


def _explain(error: BaseException) -> None:
    """Note what is concluded from the facts of this moment, then what went wrong in the servers once they settle.

    Whatever fails here, is out of time, or is interrupted, must not take the place of the test's own exception.
    """
    if not State.servers:
        return
    from pytest_windsock import verdict

    try:
        conclude(error)
        verdict.explain(error, State.servers)
    except (Exception, pytest.fail.Exception) as problem:
        error.add_note(f"windsock: its servers could not be looked at: {problem!r}")
    except KeyboardInterrupt:
        State.was_interrupted_late = True


def _end_of_watch() -> str:
    hangs = sys.modules.get("pytest_windsock.hangs")
    return "" if hangs is None else hangs.end()


def _report_of_timeout(error: BaseException) -> str:
    """Return the report of a hang that pytest-timeout has ended first; empty if there was none."""
    hangs = sys.modules.get("pytest_windsock.hangs")
    is_timeout = isinstance(error, pytest.fail.Exception) and str(error).startswith("Timeout ")
    return hangs.report_after(error, State.servers) if is_timeout and hangs is not None and State.servers else ""


def _is_interrupt(error: BaseException) -> bool:
    """Return whether that is how an event loop was interrupted."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(KeyboardInterrupt) is not None
    return isinstance(error, KeyboardInterrupt)
