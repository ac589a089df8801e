"""Threads of a world: started, and joined."""

from __future__ import annotations

import _thread
import sys
import threading  # the standard library's own: the name of a thread
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from windsock.simulation.interpreter import HAS_HANDLES, ThreadHandle
from windsock.simulation.live import current
from windsock.simulation.skin.locks import wait
from windsock.simulation.tasks import Task

__all__ = ["METHODS", "NAMES"]

AT_START = 0.5
"""How probable it is that a new thread lets the one that has started it go on first."""
_start: Callable[..., int] = _thread.start_new_thread
_start_joinable: Any = getattr(_thread, "start_joinable_thread", None)


def start_new_thread(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None
) -> int:
    """Stand in for _thread.start_new_thread()."""
    task = current()
    given = dict(kwargs or {})
    if task is None:
        return _start(function, args, given)
    owner = getattr(function, "__self__", None)
    return int(_begin(task, _name(function), owner, partial(function, *args, **given), _start))


def start_joinable_thread(function: Callable[[], Any], handle: Any = None, daemon: bool = True) -> Any:
    """Stand in for _thread.start_joinable_thread(); the interpreter's exit waits for no thread of a world."""
    task = current()
    if task is None:
        return _start_joinable(function, handle=handle, daemon=daemon)
    handle = ThreadHandle() if handle is None else handle
    return _begin(task, _name(function), handle, function, partial(_start_handle, handle))


def _start_handle(handle: Any, run: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return _start_joinable(partial(run, *args), handle=handle, daemon=True)


def _name(function: Callable[..., Any]) -> str:
    thread = getattr(function, "__self__", None)
    return thread.name if isinstance(thread, threading.Thread) else getattr(function, "__name__", "thread")


def _begin(task: Task, name: str, owner: Any, function: Callable[[], Any], start: Callable[..., Any]) -> Any:
    baton = task.baton
    new = baton.add(name)
    new.thread, new.host = owner, task.host
    try:
        result = start(baton.run, (new, function))
    except BaseException:
        baton.remove(new)
        raise
    baton.schedule.add(new)
    return result


def join(self: Any, timeout: float | None = None) -> Any:
    """Stand in for the join() of a thread's handle."""
    task = current()
    if task is None:
        return _join(self, timeout)
    seconds = None if timeout is None or timeout < 0 else timeout
    members = task.baton.members
    if wait(task, lambda: all(each.thread is not self for each in members), id(self), "the end of a thread", seconds):
        return _join(self)
    return None


_set: Callable[[threading.Event], None] = threading.Event.set


def set_event(self: threading.Event) -> None:
    """Stand in for Event.set(). A new thread says so that it runs: the one that has started it may go on first."""
    _set(self)
    task = current()
    if task is not None and sys._getframe(1).f_code.co_name == "_bootstrap_inner":
        task.baton.pause(task, AT_START)


METHODS: dict[tuple[Any, str], Any] = {(threading.Event, "set"): set_event}
NAMES: dict[Any, Any] = {_start: start_new_thread}
if HAS_HANDLES:
    _join = ThreadHandle.join
    METHODS[ThreadHandle, "join"] = join
    NAMES[_start_joinable] = start_joinable_thread
