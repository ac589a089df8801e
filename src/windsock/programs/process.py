"""The process of a program, with its children: whether it runs, how it ended, and signals to all of it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterable

from windsock.net.deadlines import milliseconds
from windsock.net.system import monotonic, os, select, sleep
from windsock.programs import kernel, watcher

__all__ = ["Process"]

INTERVAL = 0.005
"""Seconds between two looks at a process, where no descriptor tells of its end."""
KILLED = 2.0
"""Seconds in which what was killed must be gone."""


class Process:
    """The leader of a process group. Its exit status is kept by the kernel until `release()`, and so is its pid."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.began: str = kernel.start_of(pid)
        self._has_ended = False
        self._exit_code: int | None = None
        self._is_released = False
        self._pidfd = -1
        with contextlib.suppress(AttributeError, OSError):
            self._pidfd = os.pidfd_open(pid)

    @property
    def has_ended(self) -> bool:
        """Whether the leader has ended; its children may run."""
        if not self._has_ended:
            self._look()
        return self._has_ended

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs, or if other code has taken it."""
        return self._exit_code if self.has_ended else None

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the leader; return whether it came in time."""
        until = monotonic() + seconds
        while not self.has_ended:
            left = until - monotonic()
            if left <= 0:
                return False
            self._wait_a_while(left)
        return True

    def wait_until_paused(self) -> None:
        """Wait until a SIGSTOP has stopped the leader, or it has ended."""
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def signal(self, number: int) -> None:
        """Send a signal to the leader."""
        if not self._is_released:
            _send(self.pid, number)

    def signal_all(self, number: int) -> None:
        """Send a signal to all of it, also to children that have left its process group."""
        if self._is_released:
            return
        family = kernel.family(self.pid)
        _send(-self.pid, number)
        self._signal_each(family, number)

    def end(self, stop_signal: int, seconds: float) -> bool:
        """Ask it to end, insist after `seconds`, then kill what is left; return whether it had to be killed."""
        family = kernel.family(self.pid)
        was_killed = False
        if not self.has_ended:
            self.signal_all(signal.SIGCONT)
            self.signal(stop_signal)
            if not self.wait(seconds):
                self.signal_all(signal.SIGTERM)
                was_killed = not self.wait(min(1.0, seconds)) and stop_signal != signal.SIGKILL
        self.kill(family)
        return was_killed

    def kill(self, known: Iterable[kernel.Relative] = ()) -> None:
        """Kill all of it, and what of the known relatives still runs; wait until it is gone."""
        if self._is_released:
            return
        family = {*known, *kernel.family(self.pid)}
        _send(-self.pid, signal.SIGKILL)
        self._signal_each(family, signal.SIGKILL)
        self.wait(KILLED)
        until = monotonic() + KILLED
        while any(map(kernel.is_running, family)) and monotonic() < until:
            sleep(INTERVAL / 10)

    def release(self) -> None:
        """Let the kernel forget the ended process. Idempotent."""
        if self._is_released:
            return
        self._is_released = True
        watcher.forget(self.pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0 if self._has_ended else os.WNOHANG)
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _signal_each(self, family: Iterable[kernel.Relative], number: int) -> None:
        for each in family:
            if each.pid != self.pid and kernel.is_running(each):
                _send(each.pid, number)

    def _wait_a_while(self, seconds: float) -> None:
        if self._pidfd < 0:
            sleep(min(INTERVAL, seconds))
            return
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        poll.poll(milliseconds(seconds))

    def _look(self) -> None:
        try:
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            self._has_ended = True
            return
        if ended is not None:
            self._exit_code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            self._has_ended = True


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
