"""Errors by which a world says that it cannot go on, and whether a client has swallowed one.

They are exceptions like others, so that an example of Hypothesis can fail with one. A client that catches every
`Exception` catches them too: its test would pass, though on a real network it would wait for ever.
"""

from __future__ import annotations

import inspect
import sys
from contextlib import suppress
from types import TracebackType

from windsock.errors import WindsockError
from windsock.simulation.catchers import is_caught_with_others
from windsock.simulation.errors import Deadlock, Livelock, Standstill
from windsock.simulation.report import short_path
from windsock.simulation.tasks import Task

__all__ = ["RaisedErrors"]

SUSPENDS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
"""Flags of code whose frame may go on later."""


class RaisedErrors:
    """What a world has raised in its main thread. `is_open`: who has caught the last one is not known yet."""

    def __init__(self, main: Task) -> None:
        self.is_open: bool = False
        self._main = main
        self._last: WindsockError | None = None
        self._swallowed: WindsockError | None = None
        self._trace: TracebackType | None = None
        """What the traceback of the swallowed one began with when it was caught."""

    def add(self, task: Task, error: BaseException) -> BaseException:
        """Return an error that a task raises now; one of the world's in the main thread is noted."""
        if task is self._main and isinstance(error, Deadlock | Livelock | Standstill):
            self.settle()
            self._last, self.is_open = error, True
        return error

    def settle(self) -> None:
        """Look who has caught the last error, unless it is on its way still."""
        error = self._last
        if error is None or _has_led_to(error, sys.exc_info()[1]):
            return
        self._last, self.is_open = None, False
        trace = error.__traceback__
        if trace is None or not is_caught_with_others(trace, error):
            self._swallowed = None  # a client that retries has let the last one out
        elif self._swallowed is None:
            self._swallowed, self._trace = error, trace
            frame, name = trace.tb_frame, type(error).__name__
            error.add_note(
                f"{frame.f_code.co_qualname}() in {short_path(frame)} caught this {name} along with other errors, and "
                f"went on; a test that expects it catches it by its name: pytest.raises(windsock.{name})"
            )
            _clear(trace)

    def take_swallowed(self, failure: BaseException | None = None) -> WindsockError | None:
        """Return the first error that a client has swallowed, and forget it.

        There is none if the test fails because of it: if it has led to `failure`.
        """
        if self._last is not None and _has_led_to(self._last, failure):
            self._last = None
        self.settle()
        found, self._swallowed = self._swallowed, None
        was_raised_again = found is not None and found.__traceback__ is not self._trace
        self._trace = None
        return None if found is None or was_raised_again or _has_led_to(found, failure) else found


def _clear(trace: TracebackType | None) -> None:
    """Let go of what functions that have ended held, such as a socket that is to be closed with its last reference."""
    while trace is not None:
        if not trace.tb_frame.f_code.co_flags & SUSPENDS:
            with suppress(RuntimeError):  # it runs still
                trace.tb_frame.clear()
        trace = trace.tb_next


def _has_led_to(error: BaseException, failure: BaseException | None) -> bool:
    """Return whether an error is another one, in that if it is a group, or one of those that have led to them."""
    seen: dict[int, BaseException] = {}
    todo = [failure]
    while todo:
        each = todo.pop()
        if each is error:
            return True
        if each is not None and id(each) not in seen:
            seen[id(each)] = each
            todo += [each.__cause__, each.__context__]
            todo += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
    return False
