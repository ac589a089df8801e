"""The threads that servers run in: a new one for each job, or one that has done others and kept nothing of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from windsock.harness.slate import Slate, threads_are_traced
from windsock.net.deadlines import capped
from windsock.net.system import Empty, SimpleQueue, os, threading
from windsock.servers import BaseServer

if TYPE_CHECKING:
    _Jobs = SimpleQueue["Task"]

__all__ = ["Lease", "Task", "ThreadPool"]

IDLE = 2
"""Threads that a server without a crew keeps idle as long as it runs: more is for those who start many servers."""


class Task:
    """One call in another thread, to be waited for. Looks like a thread to those who start and join it."""

    __slots__ = ("_done", "_lease", "_name", "target", "worker")

    daemon = True

    def __init__(self, target: Callable[[], None], name: str, lease: Lease) -> None:
        self.target = target
        self.worker: threading.Thread | None = None
        """The thread while it does the job; afterwards only if it ends with the job."""
        self._name = name
        self._lease = lease
        self._done = threading.Lock()
        self._done.acquire()

    @property
    def name(self) -> str:
        """The name of its thread, which the job may change."""
        worker = self.worker
        return self._name if worker is None else worker.name

    @property
    def is_last(self) -> bool:
        """Whether its thread is to do no other job afterwards."""
        return self._lease.have_left

    def start(self) -> None:
        """Have somebody do it. Raises RuntimeError if no thread can be started."""
        try:
            self._lease.thread_pool.take(self)
        except BaseException:
            self.end()
            raise

    def is_alive(self) -> bool:
        """Return whether it is still running."""
        return self._done.locked()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, for so many seconds at the most."""
        if self._done.acquire(timeout=-1 if timeout is None else capped(timeout)):
            self._done.release()
            if self.worker is not None:
                self.worker.join(None if timeout is None else capped(timeout))

    def end(self) -> None:
        """Let those who wait go on."""
        self.target = _done  # whose server would wait for the collector otherwise
        self._done.release()


class ThreadPool:
    """Keeps up to `most` threads idle for the next job: to start and join one costs more than most jobs.

    A thread is kept only if it is as good as a new one (see Slate), and if nobody has kept its object: who has
    may wait for its end. It ends after `seconds` without a job, or with `dismiss()`. All are daemons.
    """

    def __init__(self, most: int = 0, seconds: float = 1.0) -> None:
        self.most = most
        self.seconds = seconds
        self._lock = threading.Lock()
        self._idle: list[_Jobs] = []
        self._process_id = os.getpid()

    def take(self, job: Task) -> None:
        """Give a job to an idle thread, or to a new one."""
        if os.getpid() != self._process_id:  # a forked child has none of these threads
            self.__init__(self.most, self.seconds)  # type: ignore[misc]
        jobs = None
        if self._idle and not threads_are_traced():
            with self._lock:
                jobs = self._idle.pop() if self._idle else None
        if jobs is None:
            jobs = SimpleQueue()
            _Worker(self, jobs).start()
        jobs.put(job)

    def close(self, timeout: float = 5.0) -> None:
        """End the idle threads, wait for them, and keep no more."""
        with self._lock:
            self.most = 0
            leaving, self._idle = self._idle, []
        farewells = [Task(_done, "windsock", LEAVING) for _ in leaving]
        for jobs, farewell in zip(leaving, farewells, strict=True):
            jobs.put(farewell)
        for farewell in farewells:
            farewell.join(timeout)

    def retire(self, jobs: _Jobs) -> bool:
        """Take one that has waited for long enough off the idle ones; False if a job is on its way to it."""
        with self._lock:
            if jobs not in self._idle:
                return False
            self._idle.remove(jobs)
            return True

    def keep(self, jobs: _Jobs) -> bool:
        """Take one that has done its job among the idle ones, if there is room."""
        with self._lock:
            if len(self._idle) >= self.most:
                return False
            self._idle.append(jobs)
            return True


class Lease:
    """What one server has of a crew: of the one that it is given, or of one of its own as long as it runs."""

    def __init__(self, thread_pool: ThreadPool | None = None) -> None:
        self.thread_pool = ThreadPool(most=IDLE) if thread_pool is None else thread_pool
        self.have_left = False
        self._is_own = thread_pool is None

    def start(self, target: Callable[[], None], name: str) -> Task:
        """Have somebody do it."""
        job = Task(target, name, self)
        job.start()
        return job

    def thread(
        self, *, target: Callable[..., None], args: Sequence[Any], name: str, daemon: bool
    ) -> Task | threading.Thread:
        """Return something to be started and joined, as threading.Thread does; a thread of its own if no daemon."""
        if daemon:
            return Task(partial(target, *args), name, self)
        return threading.Thread(target=target, args=args, name=name, daemon=False)

    def run_requests_of(self, server: Any) -> None:
        """Have the threads of its requests come from here, if it is of the family and has none of its own class."""
        if isinstance(server, BaseServer) and getattr(server, "thread_class", None) is threading.Thread:
            vars(server)["thread_class"] = self.thread

    def leave(self) -> None:
        """The server is gone: who has not ended by now will do no other job."""
        self.have_left = True
        if self._is_own:
            self.thread_pool.close()


class _Worker(threading.Thread):
    """Does one job after the other.

    The crew and those who give it jobs know only the queue, so that a reference to the thread that is there after
    a job, and was not before, is the job's doing.
    """

    def __init__(self, thread_pool: ThreadPool, jobs: _Jobs) -> None:
        super().__init__(name="windsock", daemon=True)
        self._thread_pool = thread_pool
        self._jobs = jobs
        self.windsock_job: Task | None = None
        """The job that it does now, for windsock.servers.threads."""

    def run(self) -> None:
        slate = Slate()
        is_kept = True
        while is_kept:
            try:
                job = self._jobs.get(timeout=self._thread_pool.seconds)
            except Empty:
                is_kept = not self._thread_pool.retire(self._jobs)
                continue
            job.worker = self
            before = self._shape()
            self._do(job)
            was_changed = self._shape() != before  # each look at it from the very same place
            is_kept = self._end(job, slate, was_changed=was_changed)
            del job

    def _do(self, job: Task) -> None:
        """Do it, in a context of its own. What it raises ends the thread, as it would any other."""
        self.name = job._name
        self.windsock_job = job
        try:
            Context().run(job.target)
        except BaseException:
            job.end()
            raise
        finally:
            self.windsock_job = None

    def _end(self, job: Task, slate: Slate, *, was_changed: bool) -> bool:
        """Let go of a job; return whether there will be another one."""
        self.name = "windsock (idle)"
        is_kept = False
        try:
            is_wanted = not job.is_last and self._thread_pool.most > 0
            is_kept = is_wanted and not was_changed and slate.is_clean() and self._thread_pool.keep(self._jobs)
        finally:
            if is_kept:
                job.worker = None
            job.end()
        return is_kept

    def _shape(self) -> tuple[int, int]:
        """Return how many hold this object, and how many attributes it has."""
        return sys.getrefcount(self), len(vars(self))


def _done() -> None:
    """What is left of a job."""


LEAVING = Lease(ThreadPool())
LEAVING.have_left = True
