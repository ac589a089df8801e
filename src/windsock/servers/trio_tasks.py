"""The tasks of one server: known from start to end, ended from any thread, waited for from any other."""

from __future__ import annotations

import contextlib
import threading
from time import monotonic
from typing import TYPE_CHECKING

from windsock.servers import forks

if TYPE_CHECKING:
    import trio

__all__ = ["Task", "Tasks"]


class Task:
    """One request's task, from before it starts. What cancels `scope` ends it."""

    __slots__ = ("_token", "name", "scope", "thread_id")

    def __init__(self, name: str) -> None:
        import trio

        self.name = name
        self.scope: trio.CancelScope = trio.CancelScope()
        self.thread_id = threading.get_ident()
        self._token = trio.lowlevel.current_trio_token()

    def cancel(self) -> None:
        """End it, soon; from any thread."""
        import trio

        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self.scope.cancel)


class Tasks:
    """The tasks of one server, in however many threads it serves."""

    def __init__(self) -> None:
        self.after_fork_in_child()
        forks.renew_in_children(self)

    def after_fork_in_child(self) -> None:
        """Make the lock anew, and know of no tasks: a child has none of its parent's."""
        self._changed = threading.Condition()
        self._running: set[Task] = set()

    def __len__(self) -> int:
        return len(self._running)

    def add(self, task: Task) -> None:
        """Keep one more."""
        with self._changed:
            self._running.add(task)

    def end(self, task: Task) -> None:
        """Note that it is over."""
        with self._changed:
            self._running.discard(task)
            if not self._running:
                self._changed.notify_all()

    def cancel(self) -> None:
        """End all of them, soon; from any thread."""
        with self._changed:
            running = list(self._running)
        for task in running:
            task.cancel()

    def wait(self, seconds: float | None) -> list[str]:
        """Wait for all but those of the current thread, which cannot end while it waits; return who is left."""
        deadline = None if seconds is None else monotonic() + seconds
        with self._changed:
            while left := self._others():
                remaining = None if deadline is None else deadline - monotonic()
                if remaining is not None and remaining <= 0:
                    break
                self._changed.wait(remaining)
            return [f"task {task.name!r}" for task in left]

    def are_here(self) -> bool:
        """Return whether some of them run in the current thread."""
        me = threading.get_ident()
        with self._changed:
            return any(task.thread_id == me for task in self._running)

    def _others(self) -> list[Task]:
        me = threading.get_ident()
        return [task for task in self._running if task.thread_id != me]
