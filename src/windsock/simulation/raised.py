"""Errors by which a world says that it cannot go on, and whether a test means to catch them.

They are exceptions like others, so that an example of Hypothesis can fail with one. A client that catches every
`Exception` catches them too: its test would pass, though on a real network it would wait for ever. Code that means to
catch one names its class: `pytest.raises(Deadlock)`, `except Deadlock`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType

from windsock.errors import WindsockError
from windsock.simulation.errors import Deadlock, Livelock, Standstill
from windsock.simulation.report import is_library, short_path
from windsock.simulation.tasks import Task

__all__ = ["RaisedErrors"]

CATCH_FOR_OTHERS = {"_pytest", "pytest_windsock", "windsock"}
"""Packages that catch what their caller tells them to, as the standard library does."""


class RaisedErrors:
    """What a world has raised in its main thread, the last of which is looked at once it is known who has caught it."""

    def __init__(self, main: Task) -> None:
        self._main = main
        self._last: WindsockError | None = None
        self._swallowed: WindsockError | None = None

    def add(self, task: Task, error: BaseException) -> BaseException:
        """Return an error that a task raises now; one of the world's in the main thread is noted."""
        if task is self._main and isinstance(error, Deadlock | Livelock | Standstill):
            if self._last not in _chain(sys.exc_info()[1]):  # else that one is on its way still
                self._look()
            self._last = error
        return error

    def take_swallowed(self, failure: BaseException | None = None) -> WindsockError | None:
        """Return the first error that was caught by a function which does not name its class, and forget it.

        There is none if the test fails because of it: if it has led to `failure`.
        """
        if self._last not in _chain(failure):
            self._look()
        found, self._swallowed, self._last = self._swallowed, None, None
        return None if found in _chain(failure) else found

    def _look(self) -> None:
        error = self._last
        if error is None or self._swallowed is not None or error.__traceback__ is None:
            return
        frame = _catcher(error.__traceback__.tb_frame)
        if frame is not None and not _names(frame, type(error)):
            name = type(error).__name__
            error.add_note(
                f"{frame.f_code.co_qualname}() in {short_path(frame)} caught this {name} along with other errors, and "
                f"went on; a test that expects it names it: pytest.raises(windsock.{name})"
            )
            self._swallowed = error


def _catcher(frame: FrameType | None) -> FrameType | None:
    """Return the frame that has caught an error, or has called the function of a library which did."""
    while frame is not None and (is_library(frame) or _package(frame) in CATCH_FOR_OTHERS):
        frame = frame.f_back
    return frame


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _names(frame: FrameType, class_: type) -> bool:
    named = {each.__name__ for each in class_.__mro__ if issubclass(each, WindsockError)}
    code = frame.f_code
    return not named.isdisjoint((*code.co_names, *code.co_varnames, *code.co_freevars))


def _chain(error: BaseException | None) -> list[BaseException]:
    """Return an error, those in it if it is a group, and those that have led to them."""
    found: list[BaseException] = []
    todo = [error]
    while todo:
        each = todo.pop()
        if each is not None and each not in found:
            found.append(each)
            todo += _before(each)
    return found


def _before(error: BaseException) -> Iterator[BaseException | None]:
    yield error.__cause__
    yield error.__context__
    if isinstance(error, BaseExceptionGroup):
        yield from error.exceptions
