"""A thread of a simulated world, as the scheduler sees it."""

from __future__ import annotations

from _thread import LockType, allocate_lock
from typing import Any

__all__ = ["Task", "locked"]

acquire = LockType.acquire  # as it is without a world


def locked() -> LockType:
    """Return a lock that is taken already: what a task waits on until its turn."""
    lock = allocate_lock()
    acquire(lock)
    return lock


class Task:
    """A thread of a simulated world: whether it can run, and what it waits for.

    `baton` is what it takes turns by, `turn` the lock that it waits for until its turn, `host`
    the network's host that its sockets belong to (None: localhost).
    `waits_for` is text for reports, `since` the time at which the wait began. `error` is raised by the task's next
    wait. `wait` counts its waits, so that a timer of an earlier wait is known as outdated.
    """

    __slots__ = (
        "baton",
        "error",
        "host",
        "ident",
        "idle_calls",
        "is_ready",
        "name",
        "since",
        "thread",
        "timed_out",
        "turn",
        "wait",
        "waits_for",
    )

    def __init__(self, name: str, baton: Any = None, turn: Any = None) -> None:
        self.name: str = name
        self.baton: Any = baton
        self.turn: Any = turn
        self.host: Any = None
        self.ident: int = 0
        self.thread: Any = None
        self.is_ready: bool = True
        self.timed_out: bool = False
        self.wait: int = 0
        self.waits_for: str = ""
        self.since: float = 0.0
        self.idle_calls: int = 0
        self.error: BaseException | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}{f' waits for {self.waits_for}' if self.waits_for else ''}>"
