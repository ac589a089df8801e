"""Tracebacks without our frames: those of our errors end in the test, those of handlers start in the handler."""

from __future__ import annotations

import sys
from types import TracebackType

import pytest

__all__ = ["shorten", "skip_our_start", "tidy"]

OURS = ("windsock", "pytest_windsock")
BEFORE_HANDLERS = (*OURS, "outcome", "socketserver", "threading", "trio")
BELOW = ("ssl", "socket", "selectors", "contextlib")
"""What our code calls; an exception that it raised there is caught in our code, or is no news without what we say."""
WORLD = "windsock.simulation."
PYTEST = ("_pytest", "pluggy")


def shorten(call: pytest.CallInfo[None], config: pytest.Config) -> None:
    """Leave our frames out of a failure and its causes, where something else is left; `--full-trace` shows them."""
    if call.excinfo is None or "windsock" not in sys.modules or config.getoption("fulltrace", False):
        return
    error = call.excinfo.value
    traceback = _shortened(error, is_native=config.getoption("tbstyle", "auto") == "native")
    _cut_causes(error)
    if traceback is not error.__traceback__:
        error.__traceback__ = traceback
        call.excinfo = pytest.ExceptionInfo.from_exception(error)


def _shortened(error: BaseException, *, is_native: bool) -> TracebackType | None:
    """Return the traceback without our frames.

    Where no frame of the test is left, those that pytest hides stay, or it would show its own. So do the frames of an
    exception that is none of ours and was raised by our code, which should not happen.
    """
    from windsock.errors import WindsockError

    links = _without_world(_links(error.__traceback__))
    if isinstance(error, BaseExceptionGroup | WindsockError):
        while links and _package(links[-1]) == "windsock":
            links.pop()
    elif not links or _package(links[-1]) == "windsock":
        return error.__traceback__
    kept = [each for each in links if _package(each) not in OURS]
    is_seen = any(_package(each) not in PYTEST for each in kept)
    return _joined(kept if is_seen or is_native else links) or error.__traceback__


def skip_our_start(error: BaseException) -> None:
    """Leave out of an error of a handler the frames that lead to the handler."""
    traceback, packages = error.__traceback__, set()
    while traceback is not None and (package := _package(traceback)) in BEFORE_HANDLERS:
        packages.add(package)
        traceback = traceback.tb_next
    if traceback is not None and not packages.isdisjoint(OURS):
        error.__traceback__ = traceback


def tidy(report: pytest.TestReport) -> None:
    """Remove the note of a group whose frames are all hidden: its errors have frames of their own."""
    for element in getattr(report.longrepr, "chain", ()):
        if "entries are hidden" in (getattr(element[0], "extraline", None) or ""):
            element[0].extraline = None


def _links(traceback: TracebackType | None) -> list[TracebackType]:
    links = []
    while traceback is not None:
        links.append(traceback)
        traceback = traceback.tb_next
    return links


def _without_world(links: list[TracebackType]) -> list[TracebackType]:
    """Leave out the last frames if they are those of a simulated world, which stands in for what is written in C."""
    count = len(links)
    while count and _module(links[count - 1]).startswith(WORLD):
        count -= 1
    return links[:count]


def _joined(links: list[TracebackType]) -> TracebackType | None:
    joined = None
    for link in reversed(links):
        joined = TracebackType(joined, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return joined


def _cut_causes(error: BaseException) -> None:
    """Leave our frames out of what an error was raised from, and of the members of groups."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if each is not error:
            _cut(each)
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
        _cut_remote(each)
        waiting += [each.__cause__, None if each.__suppress_context__ else each.__context__]


def _cut(error: BaseException) -> None:
    """Leave out the frames that lead to a handler, and those of ours that it has called.

    All are left out if there are no others: the exception was raised in our code.
    """
    skip_our_start(error)
    links = _links(error.__traceback__)
    if all(_package(each) in (*BEFORE_HANDLERS, *BELOW) for each in links):
        error.__traceback__ = None
    elif _package(links[-1]) in OURS:
        error.__traceback__ = _joined([each for each in links if _package(each) not in OURS])


def _cut_remote(error: BaseException) -> None:
    """Leave our frames out of the traceback of an error from another process; leave that out if there are no others."""
    errors = sys.modules.get("windsock.recording.errors")
    remote = error.__cause__
    if errors is None or not isinstance(remote, errors.RemoteTraceback):
        return
    from windsock.recording.exception_pickle import without_our_frames  # which the server has imported

    cut = without_our_frames(str(remote.args[0]))
    error.__cause__ = errors.RemoteTraceback(cut) if cut else None


def _package(link: TracebackType) -> str:
    return _module(link).partition(".")[0]


def _module(link: TracebackType) -> str:
    return str(link.tb_frame.f_globals.get("__name__", ""))
