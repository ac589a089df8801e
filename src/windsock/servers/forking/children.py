"""The children of one forking server: who runs, who has ended and how; never anybody else's."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from typing import Any

from windsock.net import addresses
from windsock.net.deadlines import milliseconds
from windsock.net.system import monotonic, os, select, threading
from windsock.servers import fork_hooks
from windsock.servers.loop import ServeLoop

__all__ = ["Children"]

FALLBACK_INTERVAL = 0.02
"""Seconds between two looks at a child where the kernel has no pidfd_open(2)."""
FIRST_REMINDER, LAST_REMINDER = 0.01, 0.5
"""Seconds after which a child that was told to end, and is waited for, is told again: twice as many each time."""


class Children:
    """Each child by its pid, with a pidfd that becomes readable when it ends, so that no zombie waits.

    A pidfd also keeps a pid from being taken for another process that got the same number later.

    A signal may come in vain: Python runs its handlers between two steps of the program, and one that comes when
    it is about to block in a system call is noticed after the call. (In 3.13, where the child of a thread other
    than the main one notices signals in system calls only, it is about to block most of the time.) So a child
    that is waited for is told again.

    With a `collector`, only what it calls takes the exit status of a child.
    """

    def __init__(
        self, pids: set[int], on_exit: Callable[[int, int], None], collector: Callable[[], None] | None = None
    ) -> None:
        self.pids = pids
        self._on_exit = on_exit
        self._collector = collector
        self._watched: dict[int, tuple[int, ServeLoop | None]] = {}
        self._clients: dict[int, Any] = {}
        self._told: dict[int, signal.Signals] = {}
        self._lock = threading.Lock()
        fork_hooks.renew_in_children(self)

    def after_fork_in_child(self) -> None:
        """Know of no children: those of the parent are siblings."""
        self._lock = threading.Lock()
        self.pids.clear()
        self._clients.clear()
        self._told.clear()
        self.stop_watching()

    def add(self, pid: int, client_address: Any, loop: ServeLoop | None) -> None:
        """Take a child over; a loop that is given collects it the moment it ends."""
        self._clients[pid] = client_address
        self.pids.add(pid)
        with contextlib.suppress(AttributeError, OSError):
            self._watched[pid] = (os.pidfd_open(pid), None)
        if loop is not None:
            self._watch(pid, loop)

    def adopt(self, loop: ServeLoop) -> None:
        """Have a new loop collect those that no other loop does."""
        for pid, (_, watcher) in list(self._watched.items()):
            if watcher is None or watcher.is_closed:
                self._watch(pid, loop)

    def collect(self, pid: int) -> None:
        """Take the exit status of this child, and of it only, if it has ended."""
        with self._lock:
            exit_code = self._exit_code(pid) if pid in self.pids else None
            if exit_code is not None:
                self.pids.discard(pid)
                self._clients.pop(pid, None)
                self._told.pop(pid, None)
            if pid not in self.pids:
                self._unwatch(pid)
        if exit_code is not None:
            self._on_exit(pid, exit_code)

    def collect_all(self) -> None:
        """Take the exit status of each child that has ended."""
        for pid in self.pids | self._watched.keys():
            self.collect(pid)

    def wait(self, enough: Callable[[], bool], seconds: float | None, wakeup: int | None = None) -> bool:
        """Wait until `enough()`, and collect children meanwhile, unless there is a collector.

        Returns False at the deadline, or when `wakeup` is readable.
        """
        deadline = None if seconds is None else monotonic() + seconds
        reminders = _Reminders()
        self._collect()
        while not enough():
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                return False
            if self._told and reminders.are_due():
                self._remind()
            if self._wait_for_one(reminders.no_longer_than(left) if self._told else left, wakeup):
                return False
            self._collect()
        return True

    def _collect(self) -> None:
        if self._collector is None:
            self.collect_all()

    def running(self) -> set[int]:
        """Return those that have not ended; without a collector, those that have not been collected."""
        return self.pids if self._collector is None else {pid for pid in list(self.pids) if not _has_ended(pid)}

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to each of them, and to no process that may have got the pid of one that is gone."""
        with self._lock:
            for pid in list(self.pids):
                self._told[pid] = number
                self._signal(pid, number)

    def _remind(self) -> None:
        with self._lock:
            for pid, number in self._told.items():
                self._signal(pid, number)

    def _signal(self, pid: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if pid in self._watched:
                signal.pidfd_send_signal(self._watched[pid][0], number)
            else:
                os.kill(pid, number)

    def describe(self) -> list[str]:
        """Return who is still running, and for whom."""
        return [f"process {pid} for {addresses.show(self._clients.get(pid))}" for pid in sorted(self.running())]

    def stop_watching(self) -> None:
        """Close the pidfds, also of children that still run; from here on a wait looks at each child now and then."""
        for pid, (descriptor, loop) in list(self._watched.items()):
            if loop is None or loop.unwatch(descriptor):
                del self._watched[pid]
                os.close(descriptor)

    def _watch(self, pid: int, loop: ServeLoop) -> None:
        """Have the loop collect the child; without a pidfd it is collected at the next occasion."""
        if pid in self._watched:
            descriptor, _ = self._watched[pid]
            loop.watch(descriptor, lambda: self._has_ended(pid))
            self._watched[pid] = (descriptor, loop)

    def _has_ended(self, pid: int) -> None:
        """Collect a child, in its loop's thread; one that the collector has left alone is watched no more."""
        if self._collector is None:
            self.collect(pid)
            return
        self._collector()
        with self._lock:
            descriptor, loop = self._watched.get(pid, (-1, None))
            if pid not in self.pids:
                self._unwatch(pid)
            elif loop is not None and loop.unwatch(descriptor):
                self._watched[pid] = (descriptor, None)

    def _wait_for_one(self, seconds: float | None, wakeup: int | None) -> bool:
        """Wait until some child ends, or return True because `wakeup` is readable."""
        running = self.running()
        unwatched = running - self._watched.keys()
        if unwatched:
            seconds = FALLBACK_INTERVAL if seconds is None else min(seconds, FALLBACK_INTERVAL)
        poll = select.poll()
        for pid, (descriptor, _) in list(self._watched.items()):
            if pid in running:
                poll.register(descriptor, select.POLLIN)
        if wakeup is not None:
            poll.register(wakeup, select.POLLIN)
        ready = poll.poll(None if seconds is None else milliseconds(seconds))
        return any(descriptor == wakeup for descriptor, _ in ready)

    def _exit_code(self, pid: int) -> int | None:
        """Return how this child ended, None if it runs, 0 if somebody else has asked before."""
        try:
            if pid in self._watched:
                ended = os.waitid(os.P_PIDFD, self._watched[pid][0], os.WEXITED | os.WNOHANG)
                if ended is None:
                    return None
                return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return 0
        return os.waitstatus_to_exitcode(status) if found == pid else None

    def _unwatch(self, pid: int) -> None:
        """Close the pidfd of a child that has ended; a loop that still waits on it will come and do it."""
        descriptor, loop = self._watched.get(pid, (-1, None))
        if descriptor >= 0 and (loop is None or loop.unwatch(descriptor)):
            del self._watched[pid]
            os.close(descriptor)


def _has_ended(pid: int) -> bool:
    """Return whether a child has ended, and leave its exit status where it is."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


class _Reminders:
    """When to tell children again."""

    def __init__(self) -> None:
        self._interval = FIRST_REMINDER
        self._next = monotonic() + self._interval

    def are_due(self) -> bool:
        """Return whether it is time, and set the time after it."""
        if monotonic() < self._next:
            return False
        self._interval = min(2 * self._interval, LAST_REMINDER)
        self._next = monotonic() + self._interval
        return True

    def no_longer_than(self, seconds: float | None) -> float:
        """Return how long to wait: until the next time, or less if less is left."""
        left = max(0.0, self._next - monotonic())
        return left if seconds is None else min(seconds, left)
