"""The child processes of one forking server: which run, which have ended, and with what exit code."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from windsock.net import addresses
from windsock.net.deadlines import milliseconds
from windsock.net.system import monotonic, os, select, threading
from windsock.net.whereabouts import Line
from windsock.servers import fork_hooks
from windsock.servers.forking.child_stack import ChildStack
from windsock.servers.loop import ServeLoop

__all__ = ["Children"]

FALLBACK_INTERVAL = 0.02
"""Seconds between two checks of a child, where the kernel has no pidfd_open(2)."""
FIRST_REMINDER, LAST_REMINDER = 0.01, 0.5
"""Seconds until a child that was signalled, and is waited for, is signalled again; doubles each time."""
ANSWERING = 0.2
"""Seconds in which all children together have to say where they stand."""


class Children:
    """The children of one server by pid, each with a pidfd that becomes readable when it ends: no zombie waits.

    A pidfd also prevents a signal to another process that got the same pid later.

    A signal may go unnoticed for a while: Python runs its handlers between two bytecodes, so a signal that comes
    just before a blocking system call is handled after the call. (In 3.13, the child of a thread other than the
    main one notices signals in system calls only, so this is the usual case.) So a child that is waited for is
    signalled again.

    With a `collector`, only the function it calls takes the exit status of a child.
    """

    def __init__(
        self, pids: set[int], on_exit: Callable[[int, int], None], collector: Callable[[], None] | None = None
    ) -> None:
        self.pids = pids
        self._on_exit = on_exit
        self._collector = collector
        self._watched: dict[int, tuple[int, ServeLoop | None]] = {}
        self._clients: dict[int, Any] = {}
        self._stacks: dict[int, ChildStack] = {}
        self._told: dict[int, signal.Signals] = {}
        self._lock = threading.Lock()
        fork_hooks.renew_in_children(self)

    def after_fork_in_child(self) -> None:
        """Forget all children: those of the parent are siblings."""
        self._lock = threading.Lock()
        self.pids.clear()
        self._clients.clear()
        self._told.clear()
        self.stop_watching()

    def add(self, pid: int, client_address: Any, loop: ServeLoop | None, stack: ChildStack | None = None) -> None:
        """Add a child. If a loop is given, the loop collects the child as soon as it ends."""
        if stack is not None:
            stack.forked()
        with self._lock:  # another thread may collect it as soon as it is among the pids
            self._clients[pid] = client_address
            if stack is not None:
                self._stacks[pid] = stack
            self.pids.add(pid)
            with contextlib.suppress(AttributeError, OSError):
                self._watched[pid] = (os.pidfd_open(pid), None)
            if loop is not None:
                self._watch(pid, loop)

    def adopt(self, loop: ServeLoop) -> None:
        """Have a new loop collect the children that no other loop collects."""
        with self._lock:
            for pid, (_, watcher) in list(self._watched.items()):
                if watcher is None or watcher.is_closed:
                    self._watch(pid, loop)

    def collect(self, pid: int) -> None:
        """Take the exit status of this child if it has ended."""
        with self._lock:
            exit_code = self._exit_code(pid) if pid in self.pids else None
            if exit_code is not None:
                self.pids.discard(pid)
                self._clients.pop(pid, None)
                self._told.pop(pid, None)
                self._close_stack(pid)
            if pid not in self.pids:
                self._unwatch(pid)
        if exit_code is not None:
            self._on_exit(pid, exit_code)

    def collect_all(self) -> None:
        """Take the exit status of each child that has ended."""
        for pid in self.pids | self._watched.keys():
            self.collect(pid)

    def wait(self, enough: Callable[[], bool], seconds: float | None, wakeup: int | None = None) -> bool:
        """Wait until `enough()` returns true, and collect children meanwhile, unless there is a collector.

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
        """Return the pids of children that have not ended; without a collector, of those not yet collected."""
        return self.pids if self._collector is None else {pid for pid in list(self.pids) if not _has_ended(pid)}

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to each child. Never signals another process that got the pid of a child that has ended."""
        with self._lock:
            for pid in list(self.pids):
                self._told[pid] = number
                self._signal(pid, number)

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to one child, if it has not ended."""
        with self._lock:
            if pid in self.pids:
                self._signal(pid, number)

    def _remind(self) -> None:
        with self._lock:
            for pid, number in self._told.items():
                self._signal(pid, number)

    def _signal(self, pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if pid in self._watched:
                signal.pidfd_send_signal(self._watched[pid][0], number)
            else:
                os.kill(pid, number)

    def describe(self) -> list[str]:
        """Return a description of each running child, with its client's address."""
        return [f"process {pid} for {addresses.show(self._clients.get(pid))}" for pid in sorted(self.running())]

    def stacks(self) -> dict[int, list[Line]]:
        """Return where the children that answer stand, by pid: the lines of each one's stack, the innermost first."""
        until = monotonic() + ANSWERING
        found: dict[int, list[Line]] = {}
        with self._lock:  # so that none is collected, and its pipe closed, meanwhile
            for pid, stack in self._stacks.items():
                found[pid] = stack.ask(partial(self._signal, pid), until)
        return found

    def _close_stack(self, pid: int) -> None:
        stack = self._stacks.pop(pid, None)
        if stack is not None:
            stack.close()

    def stop_watching(self) -> None:
        """Close pidfds and pipes, also of running children; from then on, waiting checks each child at intervals."""
        for pid in list(self._stacks):
            self._close_stack(pid)
        for pid, (descriptor, loop) in list(self._watched.items()):
            if loop is None or loop.unwatch(descriptor):
                del self._watched[pid]
                os.close(descriptor)

    def _watch(self, pid: int, loop: ServeLoop) -> None:
        """Have the loop collect the child; without a pidfd, it is collected at the next opportunity."""
        if pid in self._watched:
            descriptor, _ = self._watched[pid]
            loop.watch(descriptor, lambda: self._has_ended(pid))
            self._watched[pid] = (descriptor, loop)

    def _has_ended(self, pid: int) -> None:
        """Collect a child in its loop's thread. If the collector leaves it alone, stop watching it."""
        if self._collector is None:
            self.collect(pid)
            return
        self._collector()
        with self._lock:
            descriptor, loop = self._watched.get(pid, (-1, None))
            if pid not in self.pids:
                self._close_stack(pid)
                self._unwatch(pid)
            elif loop is not None and loop.unwatch(descriptor):
                self._watched[pid] = (descriptor, None)

    def _wait_for_one(self, seconds: float | None, wakeup: int | None) -> bool:
        """Wait until a child ends; return True if `wakeup` became readable."""
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
        """Return the child's exit code, None if it runs, or 0 if other code has taken its exit status."""
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
        """Close the pidfd of a child that has ended, unless a loop still waits on it: the loop will close it."""
        descriptor, loop = self._watched.get(pid, (-1, None))
        if descriptor >= 0 and (loop is None or loop.unwatch(descriptor)):
            del self._watched[pid]
            os.close(descriptor)


def _has_ended(pid: int) -> bool:
    """Return whether a child has ended, without taking its exit status."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


class _Reminders:
    """The times at which to signal children again."""

    def __init__(self) -> None:
        self._interval = FIRST_REMINDER
        self._next = monotonic() + self._interval

    def are_due(self) -> bool:
        """Return whether a reminder is due; if so, set the time of the next one."""
        if monotonic() < self._next:
            return False
        self._interval = min(2 * self._interval, LAST_REMINDER)
        self._next = monotonic() + self._interval
        return True

    def no_longer_than(self, seconds: float | None) -> float:
        """Return how long to wait: until the next reminder, at most `seconds`."""
        left = max(0.0, self._next - monotonic())
        return left if seconds is None else min(seconds, left)
