"""Texts of failures, as every report, terminal and encoding takes them: secrets masked, control characters escaped."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

__all__ = ["clean", "with_text"]

COLOR = re.compile(r"(\x1b\[[\d;]*m)")
FRAME = re.compile(r'[ |+]*File "')


def with_text(call: pytest.CallInfo[None]) -> None:
    """Have stand-ins in a group for exceptions that raise when they are shown: pytest would end the run."""
    error = call.excinfo and call.excinfo.value
    if "windsock.recording" in sys.modules and isinstance(error, BaseExceptionGroup):
        spared = _spared(error)
        if spared is not error:
            call.excinfo = pytest.ExceptionInfo.from_exception(spared)


def _spared(error: BaseException) -> BaseException:
    from windsock.errors import text_of
    from windsock.recording.errors import HandlerFailed

    if isinstance(error, BaseExceptionGroup):
        members = [_spared(each) for each in error.exceptions]
        if all(map(_is_same, members, error.exceptions)):
            return error
        group = error.derive(members)
        return _like(group, error)
    try:
        repr(error)
    except Exception:  # whatever an exception's own methods may raise
        return _like(HandlerFailed(f"{type(error).__name__}: {text_of(error)}"), error)
    return error


def _is_same(one: BaseException, other: BaseException) -> bool:
    return one is other


def _like(stand_in: BaseException, error: BaseException) -> BaseException:
    for note in getattr(error, "__notes__", ()):
        stand_in.add_note(note)
    stand_in.__cause__, stand_in.__suppress_context__ = error.__cause__, True
    return stand_in.with_traceback(error.__traceback__)


def clean(report: pytest.TestReport) -> None:
    """Mask secrets in what a failed test's report says of exceptions, and escape what terminals and xdist do not take.

    The test's own source is shown as it is. Does nothing in tests without servers and proxies.
    """
    if (redaction := sys.modules.get("windsock.redaction")) is None or not redaction.is_in_use():
        return
    try:
        _clean(report)
    except pytest.fail.Exception:  # pytest-timeout strikes once
        _clean(report)


def _clean(report: pytest.TestReport) -> None:
    if isinstance(report.longrepr, str):
        report.longrepr = _shown(report.longrepr)
    for traceback, crash, _ in _chain(report.longrepr):
        if crash is not None:
            crash.message = _with_colors(crash.message)
        for entry in getattr(traceback, "reprentries", ()):
            _clean_entry(entry)
    report.sections = [
        (_plain(title), _plain(words)) if title.startswith("windsock") else (title, words)
        for title, words in report.sections
    ]


def _chain(longrepr: Any) -> list[tuple[Any, Any, Any]]:
    found = getattr(longrepr, "chain", None)
    if found is None and hasattr(longrepr, "reprtraceback"):
        found = [(longrepr.reprtraceback, getattr(longrepr, "reprcrash", None), None)]
    return found or []


def _clean_entry(entry: Any) -> None:
    """Mask the text of an exception and the values of local variables, and leave lines of source."""
    if getattr(entry, "style", "") == "value":  # an exception that asks for no traceback: its text is all there is
        entry.lines = _shown("\n".join(entry.lines)).split("\n")
    elif hasattr(entry, "reprlocals"):
        entry.lines = [f"E{_with_colors(each[1:])}" if each.startswith("E") else _plain(each) for each in entry.lines]
    else:
        entry.lines = [_plain(each) if FRAME.match(each) else _shown(each) for each in entry.lines]
    if (values := getattr(entry, "reprlocals", None)) is not None:
        values.lines = [_shown(each) for each in values.lines]
    if (arguments := getattr(entry, "reprfuncargs", None)) is not None:
        arguments.args = [(name, _shown(value)) for name, value in arguments.args]


def _shown(words: str) -> str:
    from windsock import redaction

    return _plain(redaction.text(words))


def _with_colors(words: str) -> str:
    """Return the same for text in which pytest may have colors, as in the explanation of an assert."""
    from windsock import redaction

    parts = COLOR.split(redaction.text(words))
    return "".join(each if COLOR.fullmatch(each) else _plain(each) for each in parts)


def _plain(words: str) -> str:
    from windsock.errors import visible

    return visible(words, but="\n\t")
