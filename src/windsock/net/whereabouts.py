"""The places in the test's own code at which threads, tasks and greenlets stand."""

from __future__ import annotations

import gc
import linecache
import sys
import sysconfig
from collections.abc import Container, Iterable, Iterator
from types import FrameType
from typing import Any, NamedTuple

from windsock.net.stacks import locals_of, outwards, stack_of, stacks
from windsock.net.system import os

__all__ = [
    "Line",
    "is_ours",
    "is_users",
    "is_users_code",
    "package_of",
    "place_of_caller",
    "place_of_line",
    "place_of_thread",
    "places",
    "places_of_error",
    "runs_event_loop",
    "was_begun_by_us",
]

OURS = ("windsock", "pytest_windsock")
LIBRARIES = tuple({f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib", "purelib", "platlib")})
OUR_CODE = os.path.dirname(os.path.dirname(__file__)) + os.sep
MOST_AWAITED = 200
"""Coroutines that wait for one another which are looked through."""
MOST_PLACES = 4
"""Threads and tasks that are named in the place of a caller."""


class Line(NamedTuple):
    """A line of code at which another process stands."""

    path: str
    number: int
    function: str


def is_users(frame: FrameType) -> bool:
    """Return whether a frame is of neither ours, nor of the standard library, nor of an installed package."""
    return package_of(frame) not in OURS and _is_no_library(frame.f_code.co_filename)


def is_users_code(line: Line) -> bool:
    """Return the same for a line of another process."""
    return not is_ours(line) and _is_no_library(line.path)


def is_ours(line: Line) -> bool:
    """Return whether a line of another process is of windsock."""
    return line.path.startswith(OUR_CODE)


def _is_no_library(path: str) -> bool:
    return not path.startswith((*LIBRARIES, "<"))


def package_of(frame: FrameType) -> str:
    """Return the name of the package that a frame's code belongs to."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def was_begun_by_us(stack: list[FrameType]) -> bool:
    """Return whether what a thread runs was begun by windsock, such as a handler, and not by the test's own code."""
    begun = [each for each in stack if is_users(each) or package_of(each) in OURS]
    return bool(begun) and package_of(begun[-1]) in OURS


def places(*, without: Container[int] = ()) -> Iterator[str]:
    """Yield a line for each thread, task and greenlet that stands in code of the test: its name, and where.

    Code of libraries and of windsock is passed over, up to its caller. Threads are left out by their identifiers.
    """
    names = {thread.ident: thread.name for thread in sys.modules["threading"].enumerate()}  # those of tools, too
    for ident, stack in stacks().items():
        if ident in without:
            continue
        found = _users_frame(stack)
        if found is not None:
            yield f"thread {names.get(ident, ident)!r}: {_described(found)}"
        for kind, coroutine in _coroutines(stack):
            inner = _innermost(coroutine)
            if inner is not None:
                yield f"{kind} task {getattr(coroutine, '__qualname__', '?')}: {_described(inner)}"
    yield from _places_of_greenlets()


def place_of_thread(ident: int) -> str:
    """Return where a thread, or the task that it runs, stands in its own code if it has any; empty if it has ended."""
    stack = stack_of(ident)
    if not stack:
        return ""
    inner = next((found for _, each in _coroutines(stack) if (found := _innermost(each)) is not None), None)
    return _described(inner or _users_frame(stack) or stack[0])


def place_of_caller() -> str:
    """Return the line of the test's own code that led to this call; empty if there is none.

    Where a worker thread or a task of a library made the call, it is where the test's tasks stand, or else its threads.
    """
    for frame in outwards(sys._getframe(1)):
        if is_users(frame):
            return _described(frame)
        if _loop_in(frame):
            break
    found = list(places())
    tasks = [each for each in found if not each.startswith("thread ")]
    return "; ".join((tasks or found)[:MOST_PLACES])


def places_of_error(error: BaseException) -> Iterator[str]:
    """Yield the innermost line of the test's own code that an exception has passed; of a group, those of its leaves."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from places_of_error(each)
        return
    found, trace = None, error.__traceback__
    while trace is not None:
        if found is None or is_users(trace.tb_frame):
            found = trace
        trace = trace.tb_next
    if found is not None:
        code = found.tb_frame.f_code
        yield place_of_line(Line(code.co_filename, found.tb_lineno, code.co_name), found.tb_frame.f_globals)


def runs_event_loop(frame: FrameType | None) -> bool:
    """Return whether a frame is within a loop of asyncio or trio."""
    return any(map(_loop_in, outwards(frame)))


def place_of_line(line: Line, module: dict[str, Any] | None = None) -> str:
    """Return `file:line in function: source`, the file relative to the working directory if it is below it.

    `module` is the names of the line's module, if they are known.
    """
    path = line.path
    shown = os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path
    source = linecache.getline(path, line.number, module).strip()
    return f"{shown}:{line.number} in {line.function}: {source}"


def _described(frame: FrameType) -> str:
    code = frame.f_code
    return place_of_line(Line(code.co_filename, frame.f_lineno, code.co_name), frame.f_globals)


def _users_frame(stack: Iterable[FrameType]) -> FrameType | None:
    return next(filter(is_users, stack), None)


def _coroutines(stack: list[FrameType]) -> Iterator[tuple[str, Any]]:
    """Yield the coroutines of the tasks of the event loop that runs in a thread, if one does."""
    for frame in stack:
        kind = _loop_in(frame)
        if kind == "asyncio":
            tasks = sys.modules["asyncio"].all_tasks(locals_of(frame)["self"])
            yield from ((kind, task.get_coro()) for task in tasks)
        elif kind:
            yield from ((kind, task.coro) for task in list(locals_of(frame)["runner"].tasks))


def _loop_in(frame: FrameType) -> str:
    """Return whose event loop runs in this very frame: "asyncio", "trio" or nothing."""
    module, function = frame.f_globals.get("__name__"), frame.f_code.co_name
    if module == "asyncio.base_events" and function == "run_forever":
        return "asyncio"
    return "trio" if module == "trio._core._run" and function == "run" and "runner" in locals_of(frame) else ""


def _innermost(coroutine: Any) -> FrameType | None:
    """Return the innermost frame of a coroutine, through all that it awaits, that is the test's own."""
    found = None
    for _ in range(MOST_AWAITED):
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is not None and is_users(frame):
            found = frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return found


def _places_of_greenlets() -> Iterator[str]:
    greenlet = sys.modules.get("greenlet")
    if greenlet is None:
        return
    for each in gc.get_objects():
        if isinstance(each, greenlet.greenlet):
            found = _users_frame(outwards(each.gr_frame))
            if found is not None:
                yield f"greenlet: {_described(found)}"
