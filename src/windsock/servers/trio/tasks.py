"""The tasks of one server, each known from its start to its end; ended and waited for from any thread."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from windsock.net.deadlines import capped
from windsock.net.system import monotonic, threading
from windsock.servers import fork_hooks

if TYPE_CHECKING:
    from types import FrameType

    import trio

__all__ = ["RequestTask", "RequestTasks"]


class RequestTask:
    """One request's task, known before it starts. Cancelling `scope` ends it."""

    __slots__ = ("_token", "coroutine", "name", "request", "scope", "thread_id", "worker_id")

    def __init__(self, name: str, request: Any = None) -> None:
        import trio

        self.name: str = name
        self.request: Any = request
        self.coroutine: Any = None
        """What an async handler runs in."""
        self.scope: trio.CancelScope = trio.CancelScope()
        self.thread_id: int = threading.get_ident()
        self.worker_id: int | None = None
        """The identifier of the thread that its blocking handler runs in."""
        self._token = trio.lowlevel.current_trio_token()

    def frames(self) -> list[FrameType]:
        """Return the frames in which an async handler stands, the innermost first."""
        found, awaited = [], self.coroutine
        while (frame := getattr(awaited, "cr_frame", None)) is not None:
            found.append(frame)
            awaited = awaited.cr_await
        return found[::-1]

    def run_beside(self, work: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Run an async function in the task's loop, and wait for it. From a thread without a loop of its own."""
        import trio

        trio.from_thread.run(work, *args, trio_token=self._token)

    def cancel(self) -> None:
        """Cancel the task soon; from any thread."""
        import trio

        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self.scope.cancel)


class RequestTasks:
    """The tasks of one server, in all threads that serve it."""

    def __init__(self) -> None:
        self.after_fork_in_child()
        fork_hooks.renew_in_children(self)

    def after_fork_in_child(self) -> None:
        """Replace the lock, and forget the tasks: a child has none of its parent's."""
        self._changed = threading.Condition()
        self._running: set[RequestTask] = set()
        self._waiting: set[RequestTask] = set()

    def __len__(self) -> int:
        return len(self._running)

    def add(self, task: RequestTask) -> None:
        """Add a task."""
        with self._changed:
            self._running.add(task)

    def end(self, task: RequestTask) -> None:
        """Remove a task that has ended."""
        with self._changed:
            self._running.discard(task)
            self._changed.notify_all()

    def of(self, request: Any) -> RequestTask | None:
        """Return the task of a request."""
        with self._changed:
            return next((task for task in self._running if task.request is request), None)

    def handler_frames(self) -> list[tuple[Any, list[FrameType]]]:
        """Return the requests of async handlers, each with the frames where it stands, the innermost first."""
        with self._changed:
            running = list(self._running)
        return [(task.request, task.frames()) for task in running if task.coroutine is not None]

    def cancel(self) -> None:
        """Cancel all tasks soon; from any thread."""
        with self._changed:
            running = list(self._running)
        for task in running:
            task.cancel()

    def wait(self, seconds: float | None) -> list[str]:
        """Wait for the tasks that can end meanwhile; return descriptions of those still running after `seconds`."""
        deadline = None if seconds is None else monotonic() + seconds
        me = threading.get_ident()
        with self._changed:
            mine = {task for task in self._running if task.worker_id == me}
            self._waiting |= mine
            self._changed.notify_all()
            while left := self._others(is_handler=bool(mine)):
                remaining = None if deadline is None else deadline - monotonic()
                if remaining is not None and remaining <= 0:
                    break
                self._changed.wait(None if remaining is None else capped(remaining))
            self._waiting -= mine
            return [f"task {task.name!r}" for task in left]

    def are_here(self) -> bool:
        """Return whether a task runs in the current thread."""
        me = threading.get_ident()
        with self._changed:
            return any(task.thread_id == me for task in self._running)

    def _others(self, *, is_handler: bool) -> list[RequestTask]:
        """Return the tasks to wait for. Handlers that wait for the others do not wait for each other."""
        me = threading.get_ident()
        excused = self._waiting if is_handler else ()
        return [task for task in self._running if task.thread_id != me and task not in excused]
