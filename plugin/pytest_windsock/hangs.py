"""A watch over tests that use servers: it ends a hang, and says where everyone stood."""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from pytest_windsock import deadline, debuggers, past_threads, standing
from pytest_windsock.fixtures import State
from pytest_windsock.ini_values import hang_timeout_of
from windsock.net import virtual, whereabouts
from windsock.net.stacks import stack_of
from windsock.net.system import threading

if TYPE_CHECKING:
    from windsock import RunningServer
    from windsock.proxies.proxy import FaultProxy

__all__ = ["begin", "close", "end", "report_after"]

Servers: TypeAlias = "Sequence[RunningServer | FaultProxy]"

GRACE = 1.0
"""Seconds in which a test has to end once the connections of its servers have."""
INSISTING = 5
"""How often, a second apart, an exception is raised in a test that goes on after one."""
SIGNAL: int = getattr(signal, "SIGURG", 0)
"""The signal that makes the main thread raise: by default it is ignored, so that a late one does no harm."""
LONGEST_SLEEP = 3600.0


@dataclass(eq=False, slots=True)
class _Phase:
    """A setup, a body or a teardown that is watched."""

    servers: Servers
    """Those of the test; the list grows while it starts more."""
    seconds: float
    """The time that it may take."""
    bound: float
    """The monotonic time at which it is a hang."""
    time: deadline.TestTime
    """That of its test."""
    is_struck: bool = False
    """Whether its bound has come and was dealt with."""
    report: str = ""
    """The report of its hang."""


class _Watch:
    """One thread for a whole run; it sleeps until the bound of the phase that runs."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        """The seconds of a phase without a timeout of pytest-timeout's."""
        self.phase: _Phase | None = None
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._sleeps_until = math.inf
        self._is_closed = False
        self._is_to_raise = False
        self._handler_before: Any = None
        if SIGNAL and threading.current_thread() is threading.main_thread():
            self._handler_before = signal.signal(SIGNAL, self._raise)

    def begin(self, phase: _Phase) -> None:
        """Watch a phase. The thread is woken only if it sleeps for longer than that."""
        with self._lock:
            self.phase = phase
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="windsock watch over hangs", daemon=True)
                self._thread.start()
            elif phase.bound < self._sleeps_until:
                self._changed.notify_all()

    def end(self) -> str:
        """End the phase; return the report of its hang, empty if there was none."""
        with self._lock:
            phase, self.phase = self.phase, None
            self._is_to_raise = False
        return "" if phase is None else phase.report

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(5)
        if self._can_raise():
            signal.signal(SIGNAL, self._handler_before)

    def _can_raise(self) -> bool:
        """Return whether the signal's handler is ours: a test may have its own."""
        return self._handler_before is not None and signal.getsignal(SIGNAL) == self._raise

    def _raise(self, _: int, frame: FrameType | None) -> None:
        """Raise in the main thread, if the phase that the signal was meant for still runs.

        An event loop is interrupted in its own way: trio and asyncio end in order only at a KeyboardInterrupt.
        """
        phase = self.phase
        if phase is None or not self._is_to_raise:
            return
        self._is_to_raise = False
        if whereabouts.runs_event_loop(frame):
            signal.raise_signal(signal.SIGINT)
        else:
            pytest.fail(phase.report)

    # --- in the thread

    def _run(self) -> None:
        while not self._is_closed:
            with self._changed:
                phase = self.phase
                now = deadline.monotonic()
                until = math.inf if phase is None or phase.is_struck else phase.bound
                if until > now:
                    phase = None  # its servers must not outlive it for as long as this thread sleeps
                    self._sleeps_until = min(until, now + LONGEST_SLEEP)
                    self._changed.wait(self._sleeps_until - now)
                    continue
            if phase is not None:
                self._strike(phase)

    def _strike(self, phase: _Phase) -> None:
        """Report where everyone stands; end the connections, and if that does not help, raise in the test."""
        phase.is_struck = True
        if phase.time.heeds_debuggers and debuggers.are_at_work(standing.ident_of_main()):
            return
        test, others = standing.test_now(), standing.others(phase.servers)
        conclusions = _conclusions(phase)
        ends = not virtual.is_live()  # whose sockets are for its own threads
        what = f"it was not over after {phase.seconds:g} s"
        what += ", so the connections of its servers were ended" if ends else ""
        report = "\n  ".join([f"windsock: the test hung: {what}", *test, *conclusions, *others])
        with self._changed:
            if self.phase is not phase:
                return
            phase.report = report
            State.conclusions, State.has_failed, State.has_hung = conclusions, True, True
            State.marks.append((State.clock(), f"the test hung{', so its connections were ended' if ends else ''}"))
        if ends and self._is_over(phase, GRACE, partial(_end_connections, phase)):
            return
        for _ in range(INSISTING):
            if self._can_raise():
                self._is_to_raise = True
                signal.pthread_kill(standing.ident_of_main(), SIGNAL)
            if self._is_over(phase, 1.0):
                return
        if phase.time.last_resort is not None:
            phase.time.last_resort()

    def _is_over(self, phase: _Phase, seconds: float, action: Callable[[], object] | None = None) -> bool:
        """Wait for the end of a phase, doing something again and again meanwhile; return whether it has come."""
        until = deadline.monotonic() + seconds
        while self.phase is phase and deadline.monotonic() < until and not self._is_closed:
            if action is not None:
                action()
            with self._changed:
                self._changed.wait(min(0.1, seconds))
        return self.phase is not phase or self._is_closed


_watch: _Watch | None = None


def begin(item: pytest.Item) -> None:
    """Watch the phase that begins, or in which the first server is made."""
    global _watch
    if _watch is None:
        _watch = _Watch(hang_timeout_of(item.config) or math.inf)
    if _watch.phase is not None:
        return
    time = deadline.of(item)
    if time.heeds_debuggers and _is_debugged(item):
        return
    seconds, over, bound = _bound(time, _watch.limit)
    if bound < math.inf:
        deadline.limit_phase(over)
        _watch.begin(_Phase(State.servers, seconds, bound, time))


def end() -> str:
    """End the watch over a phase; return the report of its hang, empty if there was none."""
    if _watch is None or _watch.phase is None:
        return ""
    deadline.limit_phase(math.inf)
    return _watch.end()


def _is_debugged(item: pytest.Item) -> bool:
    return debuggers.traces_here() or debuggers.ENTERED in item.config.stash


def close() -> None:
    """End the watch over the run."""
    global _watch
    watch, _watch = _watch, None
    if watch is not None:
        watch.close()


def _bound(time: deadline.TestTime, limit: float) -> tuple[float, float, float]:
    """Return the seconds that a phase may take, and the times at which waits are over and at which it is a hang."""
    if time.until < math.inf:
        return time.seconds, time.until, time.until + 0.2 * deadline.margin_of(time.seconds)
    seconds = min(limit, time.seconds or math.inf)
    bound = deadline.monotonic() + seconds
    return seconds, bound - deadline.margin_of(seconds), bound


def _end_connections(phase: _Phase) -> None:
    for server in list(phase.servers):
        with contextlib.suppress(Exception):
            server.end_connections()


def report_after(error: BaseException, servers: Servers) -> str:
    """Return the report of a hang that pytest-timeout has ended with an exception before the watch did."""
    ended = f"windsock: the test hung, and was ended: {error}"
    return "\n  ".join([ended, *standing.test_at(error), *standing.others(servers)])


def _conclusions(phase: _Phase) -> list[str]:
    """Return what is concluded from where the test stands now, before its connections are ended."""
    trace: TracebackType | None = None
    for frame in stack_of(standing.ident_of_main()):
        trace = TracebackType(trace, frame, frame.f_lasti, frame.f_lineno)
    try:
        from windsock.findings import findings_for

        error = pytest.fail.Exception(f"Timeout (>{phase.seconds:g}s)")  # as pytest-timeout says it
        without = past_threads.idents()
        return findings_for(
            phase.servers, error.with_traceback(trace), programs=State.programs, without_threads=without
        )
    except Exception:  # likewise
        return []
