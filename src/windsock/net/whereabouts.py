"""The places in the test's own code at which threads, tasks and greenlets stand."""

from __future__ import annotations

import gc
import linecache
import sys
import sysconfig
from collections.abc import Container, Iterator
from types import FrameType
from typing import Any

from windsock.net.system import os

__all__ = ["place_of_thread", "places", "runs_event_loop"]

OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIBRARIES = tuple({f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def places(*, without: Container[int] = ()) -> Iterator[str]:
    """Yield a line for each thread, task and greenlet that stands in code of the test: its name, and where.

    Code of the standard library, of installed packages and of windsock is passed over, up to its caller. Threads are
    left out by their identifiers.
    """
    names = {thread.ident: thread.name for thread in sys.modules["threading"].enumerate()}  # who knows all of them
    for ident, frame in sys._current_frames().items():
        if ident in without:
            continue
        found = users_frame(frame)
        if found is not None:
            yield f"thread {names.get(ident, ident)!r}: {describe(found)}"
        for kind, coroutine in _coroutines(frame):
            inner = _innermost(coroutine)
            if inner is not None:
                yield f"{kind} task {getattr(coroutine, '__qualname__', '?')}: {describe(inner)}"
    yield from _places_of_greenlets()


def runs_event_loop(frame: FrameType | None) -> bool:
    """Return whether a frame is within a loop of asyncio or trio."""
    while frame is not None and not _loop_in(frame):
        frame = frame.f_back
    return frame is not None


def place_of_thread(ident: int) -> str:
    """Return where a thread stands, in its own code if it has any; empty if it has ended."""
    frame = sys._current_frames().get(ident)
    if frame is None:
        return ""
    for _, coroutine in _coroutines(frame):
        inner = _innermost(coroutine)
        if inner is not None:
            return describe(inner)
    return describe(users_frame(frame) or frame)


def describe(frame: FrameType) -> str:
    """Return `file:line in function: source`, the file relative to the working directory if it is below it."""
    path = frame.f_code.co_filename
    shown = os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path
    source = linecache.getline(path, frame.f_lineno).strip()
    return f"{shown}:{frame.f_lineno} in {frame.f_code.co_name}: {source}"


def users_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame that is neither ours nor a library's; None if there is none."""
    while frame is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def is_users(path: str) -> bool:
    """Return whether a file is neither ours, nor of the standard library, nor of an installed package."""
    is_ours = path.startswith((OURS + os.sep, PLUGIN))
    return not (path.startswith("<") or is_ours or path.startswith(LIBRARIES))


PLUGIN = f"{os.path.dirname(OURS)}{os.sep}pytest_windsock{os.sep}"


def _coroutines(frame: FrameType | None) -> Iterator[tuple[str, Any]]:
    """Yield the coroutines of the tasks of the event loop that runs in a thread, if one does."""
    while frame is not None:
        kind = _loop_in(frame)
        if kind == "asyncio":
            tasks = sys.modules["asyncio"].all_tasks(frame.f_locals["self"])
            yield from ((kind, task.get_coro()) for task in tasks)
        elif kind:
            yield from ((kind, task.coro) for task in list(frame.f_locals["runner"].tasks))
        frame = frame.f_back


def _loop_in(frame: FrameType) -> str:
    """Return whose event loop runs in this very frame: "asyncio", "trio" or nothing."""
    module, function = frame.f_globals.get("__name__"), frame.f_code.co_name
    if module == "asyncio.base_events" and function == "run_forever":
        return "asyncio"
    return "trio" if module == "trio._core._run" and function == "run" and "runner" in frame.f_locals else ""


def _innermost(coroutine: Any) -> FrameType | None:
    """Return the innermost frame of a coroutine, through all that it awaits, that is the test's own."""
    found = None
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is not None and is_users(frame.f_code.co_filename):
            found = frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return found


def _places_of_greenlets() -> Iterator[str]:
    greenlet = sys.modules.get("greenlet")
    if greenlet is None:
        return
    for each in gc.get_objects():
        if isinstance(each, greenlet.greenlet):
            found = users_frame(each.gr_frame)
            if found is not None:
                yield f"greenlet: {describe(found)}"
