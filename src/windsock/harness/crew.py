"""The threads that servers run in: a fresh one each, or one that an earlier server has left idle."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

__all__ = ["Crew", "Job"]


class Job:
    """One call in another thread, to be waited for."""

    __slots__ = ("_done", "name", "target", "worker")

    def __init__(self, target: Callable[[], None], name: str) -> None:
        self.target = target
        self.name = name
        self.worker: threading.Thread | None = None
        """The thread, if it ends with the job."""
        self._done = threading.Lock()
        self._done.acquire()

    def is_alive(self) -> bool:
        """Return whether it is still running."""
        return self._done.locked()

    def join(self, timeout: float) -> None:
        """Wait for its end, for so many seconds at the most."""
        if self._done.acquire(timeout=timeout):
            self._done.release()
            if self.worker is not None:
                self.worker.join(timeout)

    def end(self, worker: threading.Thread | None) -> None:
        """Let those who wait go on."""
        self.worker = worker
        self.target = _done  # whose server would wait for the collector otherwise
        self._done.release()


class Crew:
    """Runs jobs in daemon threads, and keeps up to `most` of them idle for the next job.

    To start and join a thread costs more than all else that a server in a test does. An idle thread ends
    after `seconds` without a job, or with `dismiss()`.
    """

    def __init__(self, most: int = 0, seconds: float = 1.0) -> None:
        self.most = most
        self.seconds = seconds
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._process_id = os.getpid()

    def start(self, target: Callable[[], None], name: str) -> Job:
        """Have somebody do it."""
        job = Job(target, name)
        if os.getpid() != self._process_id:  # a forked child has none of these threads
            self.__init__(self.most, self.seconds)  # type: ignore[misc]
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is None:
            worker = _Worker(self)
            worker.jobs.put(job)
            worker.start()
        else:
            worker.jobs.put(job)
        return job

    def dismiss(self, timeout: float = 5.0) -> None:
        """End the idle threads, and wait for them."""
        with self._lock:
            leaving, self._idle = self._idle, []
        for worker in leaving:
            worker.jobs.put(None)
        for worker in leaving:
            worker.join(timeout)

    def retire(self, worker: _Worker) -> bool:
        """Take a worker that has waited for long enough off the idle ones; False if a job is on its way to it."""
        with self._lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            return True

    def keep(self, worker: _Worker) -> bool:
        """Take a worker that has done its job back among the idle ones, if there is room."""
        with self._lock:
            if len(self._idle) >= self.most:
                return False
            self._idle.append(worker)
            return True


class _Worker(threading.Thread):
    def __init__(self, crew: Crew) -> None:
        super().__init__(name="windsock", daemon=True)
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._crew = crew

    def run(self) -> None:
        while True:
            try:
                job = self.jobs.get(timeout=self._crew.seconds)
            except Empty:
                if self._crew.retire(self):
                    return
                continue
            if job is None:
                return
            self.name = job.name
            is_kept = False
            try:
                job.target()
            finally:
                self.name = "windsock (idle)"
                is_kept = self._crew.keep(self)
                job.end(None if is_kept else self)
            del job
            if not is_kept:
                return


def _done() -> None:
    """What is left of a job."""
