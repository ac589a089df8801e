"""Delay signal handlers while their exceptions must not interrupt something halfway."""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the wrappers in `signal` are ten times slower
import contextlib
import warnings
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any, ParamSpec, Protocol, TypeVar

from windsock.errors import StillRunning
from windsock.net.system import os, threading

__all__ = ["uninterrupted", "uninterrupted_start"]

P = ParamSpec("P")
R = TypeVar("R")


class Stoppable(Protocol):
    """An object that runs from its constructor on."""

    def stop(self) -> None:
        """Stop the object."""
        ...


Handler = Callable[[int, FrameType | None], Any]

HELD = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGALRM", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGPROF")
    if hasattr(signal, name)
)
"""The signals whose handlers commonly raise: Ctrl-C, a timeout, a request to exit."""


class _Uninterrupted:
    """A reentrant context manager: signal handlers written in Python run at its end.

    Python runs signal handlers in the main thread, between any two bytecodes. An exception raised there may end a
    constructor after it has started a thread and before it has stored it. In other threads, which run no handlers,
    the context manager does nothing. A second signal of a kind is not delayed: the user insists.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._handlers: dict[int, Handler] = {}
        self._waiting: dict[int, FrameType | None] = {}

    def __enter__(self) -> None:
        if threading.get_ident() != threading.main_thread().ident:
            return
        depth = self._depth
        try:
            self._depth = depth + 1  # first: a garbage collection may run this again at any moment, also below
            if depth == 0:
                self._hold_all()
        except BaseException:  # from a handler that is not delayed yet
            self._depth = depth
            if depth == 0:
                self._put_back()
            raise

    def __exit__(self, *exc_info: object) -> None:
        if threading.get_ident() != threading.main_thread().ident:
            return
        if self._depth > 1:
            self._depth -= 1
            return
        handlers = dict(self._handlers)
        try:
            self._put_back()
        finally:
            self._depth = 0
            self._put_back()  # again, if a restored handler has raised
            waiting, self._waiting = self._waiting, {}
            for number, frame in waiting.items():
                handlers[number](number, frame)

    def _hold_all(self) -> None:
        for number in HELD:
            handler = signal.getsignal(number)
            if callable(handler) and handler != self._hold:
                self._handlers[number] = handler
                signal.signal(number, self._hold)

    def after_fork_in_child(self) -> None:
        """Restore the handlers: the child has only the thread that forked, which need not be the one in here."""
        self._depth = 0
        self._waiting = {}
        self._put_back()

    def _hold(self, number: int, frame: FrameType | None) -> None:
        """Keep the signal for later; call the handler at once if one is kept already."""
        if number in self._waiting:
            self._handlers[number](number, frame)
        self._waiting[number] = frame

    def _put_back(self) -> None:
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._hold:
                signal.signal(number, handler)
        self._handlers = {}


_guard = _Uninterrupted()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_guard.after_fork_in_child)


def uninterrupted(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function run to its end before a signal handler, such as that of Ctrl-C, can raise an exception."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        with _guard:
            return function(*args, **kwargs)

    return guarded


def uninterrupted_start(constructor: Callable[..., None]) -> Callable[..., None]:
    """Do the same for a constructor that starts something; if a handler raises after it, stop the object."""

    @wraps(constructor)
    def guarded(started: Stoppable, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        is_made = False
        try:
            with _guard:
                constructor(started, *args, **kwargs)
                is_made = True
        except BaseException:
            if is_made:
                started.stop()
            raise

    return guarded


def stop_forgotten(running: Stoppable) -> None:
    """Stop an object whose last reference has gone while it ran, with a ResourceWarning, as for an open file."""
    try:
        message = f"{running!r} was never stopped: use it in a `with` statement, or call stop()"
        warnings.warn(message, ResourceWarning, stacklevel=3, source=running)
    finally:
        with contextlib.suppress(StillRunning):
            running.stop()
