"""Calls of sockets that wait: tried, and tried again when the socket's events have changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from windsock.net.system import socket
from windsock.simulation.files import File
from windsock.simulation.skin.handles import SocketHandle
from windsock.simulation.tasks import Task

__all__ = ["complete", "deadline_of", "left", "wait_until"]

T = TypeVar("T")
DONT_WAIT = int(socket.MSG_DONTWAIT)


def deadline_of(task: Task, timeout: float | None) -> float | None:
    """Return when a time-out that begins now will be over."""
    return None if timeout is None else task.baton.schedule.after(timeout)


def left(task: Task, deadline: float | None) -> float | None:
    """Return the seconds until a deadline."""
    return None if deadline is None else deadline - task.baton.schedule.seconds


def complete(handle: SocketHandle, task: Task, what: str, attempt: Callable[[], T], flags: int = 0) -> T:
    """Return what a call of a socket returns, which may have to wait; TimeoutError after the socket's time-out."""
    task.baton.pause(task)
    try:
        return attempt()
    except BlockingIOError:
        if flags & DONT_WAIT or handle.file is None or not handle.waits:
            task.baton.idle(task)
            raise
    return wait_until(task, handle.file, what, attempt, deadline_of(task, handle.timeout or None))


def wait_until(task: Task, file: File, what: str, attempt: Callable[[], T], deadline: float | None) -> T:
    """Repeat a call that raises BlockingIOError, each time that the file's events have changed."""
    while True:
        seconds = left(task, deadline)
        if seconds is not None and seconds <= 0:
            raise TimeoutError("timed out")
        task.baton.wait_on(task, (file.key,), what, seconds)
        try:
            return attempt()
        except BlockingIOError:
            continue
