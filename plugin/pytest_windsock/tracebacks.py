"""Tracebacks without our frames: those of our errors end in the test, those of handlers start in the handler."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

import pytest

__all__ = ["shorten", "skip_our_start", "tidy"]

OURS = ("windsock", "pytest_windsock")
BEFORE_HANDLERS = (*OURS, "outcome", "socketserver", "threading", "trio")
PYTEST = ("_pytest", "pluggy")


def shorten(call: pytest.CallInfo[None], config: pytest.Config) -> None:
    """Leave our frames out of errors of ours and of handlers, and out of their causes; `--full-trace` shows them."""
    if call.excinfo is None or "windsock" not in sys.modules or config.getoption("fulltrace", False):
        return
    from windsock.errors import WindsockError

    error: BaseException | None = call.excinfo.value
    if isinstance(error, BaseExceptionGroup):
        _shorten_members(error)
    if not isinstance(error, WindsockError):
        return
    kept = _without_our_end(error.__traceback__)
    if kept is None or _package(kept[-1]) in PYTEST:
        return
    error.__traceback__ = _joined(kept)
    call.excinfo = pytest.ExceptionInfo.from_exception(error)
    _cut_causes(error)


def skip_our_start(error: BaseException) -> None:
    """Leave out of an error of a handler the frames that lead to the handler."""
    traceback, packages = error.__traceback__, set()
    while traceback is not None and (package := _package(traceback)) in BEFORE_HANDLERS:
        packages.add(package)
        traceback = traceback.tb_next
    if traceback is not None and not packages.isdisjoint(OURS):
        error.__traceback__ = traceback


def _shorten_members(group: BaseExceptionGroup[BaseException]) -> None:
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            _shorten_members(each)
        skip_our_start(each)


def tidy(report: pytest.TestReport) -> None:
    """Remove the note of a group whose frames are all hidden: its errors have frames of their own."""
    for element in getattr(report.longrepr, "chain", ()):
        if "entries are hidden" in (getattr(element[0], "extraline", None) or ""):
            element[0].extraline = None


def _without_our_end(traceback: TracebackType | None) -> list[TracebackType] | None:
    """Return the links up to the last one that is not ours; None if there is none."""
    links = []
    while traceback is not None:
        links.append(traceback)
        traceback = traceback.tb_next
    while links and _package(links[-1]) in OURS:
        links.pop()
    return links or None


def _joined(links: list[TracebackType]) -> TracebackType | None:
    joined = None
    for link in reversed(links):
        joined = TracebackType(joined, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return joined


def _cut_causes(error: BaseException) -> None:
    """Remove the frames of exceptions that were raised and caught in our code alone."""
    cause: Any = error.__cause__
    while cause is not None:
        if _without_our_end(cause.__traceback__) is None:
            cause.__traceback__ = None
        cause = cause.__cause__


def _package(link: TracebackType) -> str:
    return str(link.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
