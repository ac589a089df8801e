"""What surrounds the phases of a test: the watch over hangs, and notes on a failure.

Loaded for each run of pytest, so what it needs is imported on first use.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator
from functools import partial
from typing import Any

import pytest

from pytest_windsock.fixtures import ALL, SCOPED, State

__all__ = ["begin", "conclude", "failed", "monotonic", "part_failed", "passed", "servers_to_show", "watched"]

monotonic = partial(time.monotonic)
"""The real clock, as in `deadline`, which not every run imports."""


def begin(item: pytest.Item) -> None:
    """Watch over a phase from its start, if the test has servers or a timeout that is ours to keep.

    Otherwise the watch begins with the first server.
    """
    is_used = State.servers or State.programs
    if is_used or ((deadline := sys.modules.get("pytest_windsock.deadline")) and deadline.is_watched(item)):
        from pytest_windsock import hangs

        hangs.begin(item)


def watched(item: pytest.Item, phase: str) -> Generator[None, object, object]:
    """Watch over a phase, as the wrapper of its hook: "setup" or "teardown"."""
    __tracebackhide__ = True
    begin(item)
    try:
        result = yield
    except BaseException as error:
        failed(item, error, phase)
        raise
    passed(item)
    return result


def passed(item: pytest.Item, phase: str = "") -> None:
    """End the watch over a phase that raised nothing. One that hung has failed, whatever it did in the end.

    An exception that pytest keeps for a unittest.TestCase gets its notes.
    """
    __tracebackhide__ = True
    report = _end_of_watch()
    if phase and State.servers:
        _mark(f"the test's {phase} ended")
    kept = getattr(item, "_excinfo", None)
    if kept:
        _explain(kept[0].value)  # of which the report is; further ones are raised at the teardown
    if report:
        State.has_raised = True
        pytest.fail(report, pytrace=False)


def failed(item: pytest.Item, error: BaseException, phase: str) -> None:
    """End the watch over a phase, and note on what it raised why that may be. `phase` is "setup", "body" or "teardown".

    Raises pytest.fail.Exception in its place if that is how an event loop that hung was interrupted.
    """
    __tracebackhide__ = True
    report = _end_of_watch() or _report_of_timeout(error)
    if State.servers:
        _mark(f"the test's {phase} ended: {type(error).__name__}")
    if report and report not in str(error):
        if _is_interrupt(error):
            pytest.fail(report)
        error.add_note(report)
    elif State.servers and _is_interrupt(error):
        from pytest_windsock import interrupted

        with contextlib.suppress(Exception):  # the run ends all the same
            interrupted.keep(item, error, State.servers)
    if isinstance(error, pytest.fail.Exception):
        _explain_mismatch(error)
    if phase != "teardown":
        _explain(error)
    for each in State.diversions:
        each.note_on(error)


def _explain_mismatch(error: Any) -> None:
    """Say what to do where a fixture of a wider scope asks for one of ours."""
    message = error.msg or ""
    asked = message.removeprefix("ScopeMismatch: You tried to access the function scoped fixture ").split(" ", 1)[0]
    if message.startswith("ScopeMismatch") and (asked in ALL or asked in SCOPED):
        error.msg = (
            f"{message}\nwindsock: {asked} ends with its test; for a server that outlives it, make a fixture with "
            f"@pytest_windsock.{'program(command, ' if asked == 'real_server' else 'fixture('}scope=...)"
        )


def _mark(what: str) -> None:
    """Note for the transcript what has just happened in the test."""
    State.marks.append((State.clock(), what))


def conclude(error: BaseException) -> None:
    """Note what is concluded from the facts of this moment, once for each test."""
    with contextlib.suppress(ImportError):  # imported for failures alone: tests that pass do not pay for it
        from pytest_windsock import findings

        findings.add_notes(error)


def part_failed(error: BaseException) -> None:
    """Note on what has ended a part of a test, such as a subtest, what led to it. The test goes on."""
    _explain(error, is_over=False)
    State.part_began = State.clock()
    State.has_failed = False  # the next part has conclusions of its own, and so has the rest of the test


def servers_to_show() -> list[Any]:
    """Return the servers and proxies of a test that has failed: those of fixtures, and others that it has used.

    The latter are kept from now on until the test is over.
    """
    if (subject := sys.modules.get("windsock.recording.subject")) is not None:
        known = [*State.servers, *State.lines]
        known += [line for each in State.servers for line in getattr(each, "client_lines", ())]
        State.others = [each for each in subject.living() if each not in known and each.was_active_since(State.began)]
    return [*State.servers, *State.others]


def _explain(error: BaseException, *, is_over: bool = True) -> None:
    """Note what is concluded from the facts of this moment, then what went wrong in the servers once they settle.

    Whatever fails here, is out of time, or is interrupted, must not take the place of the test's own exception.
    """
    State.has_raised = True
    is_recorded = bool(servers_to_show())
    if not is_recorded and not State.programs:
        return
    from pytest_windsock import verdict

    try:
        conclude(error)
        verdict.explain(error, [*State.servers, *State.programs], is_over=is_over)
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
