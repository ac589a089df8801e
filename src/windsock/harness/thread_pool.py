"""Threads for serve loops: one that has run a loop in which no code of the test runs can run the next one."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import Protocol

from windsock.net import virtual
from windsock.net.callbacks import nothing
from windsock.net.deadlines import capped
from windsock.net.system import Empty, SimpleQueue, os, threading

__all__ = ["Joinable", "ThreadPool", "start_thread"]


class Joinable(Protocol):
    """A call in another thread: in a new one, or as a task in a thread of a pool."""

    def is_alive(self) -> bool:
        """Return whether it is still running."""
        ...

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, for at most `timeout` seconds."""
        ...


def start_thread(target: Callable[[], None], name: str) -> threading.Thread:
    """Run the target in a new daemon thread. Raises RuntimeError if no thread can be started."""
    thread = threading.Thread(target=Context().run, args=(target,), name=name, daemon=True)
    thread.start()
    return thread


class ThreadPool:
    """Keeps up to `most` threads idle for the next loop: to start and join a thread costs more than a loop does.

    A thread ends after `seconds` without a task, with `close()`, or when its task raises. All are daemons. Where
    threads are traced, as under coverage, and in a simulated world, each task gets a new one.
    """

    def __init__(self, most: int = 0, seconds: float = 1.0) -> None:
        self.most: int = most
        self.seconds = seconds
        self._lock = threading.Lock()
        self._idle: list[_Tasks] = []
        self._process_id = os.getpid()

    def start(self, target: Callable[[], None], name: str) -> Joinable:
        """Run the target in an idle thread, or in a new one. Raises RuntimeError if no thread can be started."""
        if os.getpid() != self._process_id:  # a forked child has none of these threads
            self.__init__(self.most, self.seconds)  # type: ignore[misc]
        if not self.most or virtual.is_live() or _are_traced():  # a world's order of threads is the same with coverage
            return start_thread(target, name)
        task = _Task(target, name)
        tasks = None
        with self._lock:
            tasks = self._idle.pop() if self._idle else None
        if tasks is None:
            tasks = SimpleQueue()
            _Worker(self, tasks).start()
        tasks.put(task)
        return task

    def close(self, timeout: float = 5.0) -> None:
        """End the idle threads, wait for them for at most `timeout` seconds each, and keep no more."""
        with self._lock:
            self.most = 0
            idle, self._idle = self._idle, []
        last_tasks = [_Task(nothing, "windsock") for _ in idle]
        for tasks, last in zip(idle, last_tasks, strict=True):
            tasks.put(last)
        for last in last_tasks:
            last.join(timeout)

    def retire(self, tasks: _Tasks) -> bool:
        """Take a thread off the idle ones; return False if a task is on its way to it."""
        with self._lock:
            if tasks not in self._idle:
                return False
            self._idle.remove(tasks)
            return True

    def keep(self, tasks: _Tasks) -> bool:
        """Add a thread to the idle ones; return False if there is no room."""
        with self._lock:
            if len(self._idle) >= self.most:
                return False
            self._idle.append(tasks)
            return True


class _Task:
    """One call in a thread of the pool."""

    __slots__ = ("_done", "name", "target", "worker")

    def __init__(self, target: Callable[[], None], name: str) -> None:
        self.target = target
        self.name = name
        self.worker: threading.Thread | None = None
        """The thread, if it ends with this task."""
        self._done = threading.Lock()
        self._done.acquire()

    def is_alive(self) -> bool:
        """See Joinable."""
        return self._done.locked()

    def join(self, timeout: float | None = None) -> None:
        """See Joinable."""
        if self._done.acquire(timeout=-1 if timeout is None else capped(timeout)):
            self._done.release()
            if self.worker is not None:
                self.worker.join(None if timeout is None else capped(timeout))

    def end(self) -> None:
        """Wake those that wait for it."""
        self.target = nothing  # a reference to its server would last until the next task
        self._done.release()


_Tasks = SimpleQueue[_Task]


class _Worker(threading.Thread):
    """Runs one task after the other."""

    def __init__(self, pool: ThreadPool, tasks: _Tasks) -> None:
        super().__init__(name="windsock", daemon=True)
        self._pool = pool
        self._tasks = tasks

    def run(self) -> None:
        is_kept = True
        while is_kept:
            try:
                task = self._tasks.get(timeout=self._pool.seconds)
            except Empty:
                is_kept = not self._pool.retire(self._tasks)
                continue
            is_kept = self._run_one(task)
            del task

    def _run_one(self, task: _Task) -> bool:
        """Run the task in a new context; return whether this thread goes on. An exception ends the thread."""
        self.name = task.name
        is_kept = False
        try:
            Context().run(task.target)
            self.name = "windsock (idle)"
            is_kept = self._pool.keep(self._tasks)
        finally:
            if not is_kept:
                task.worker = self
            task.end()
        return is_kept


def _are_traced() -> bool:
    """Return whether new threads are traced or profiled, which those of the pool may not be."""
    return threading.gettrace() is not None or threading.getprofile() is not None
