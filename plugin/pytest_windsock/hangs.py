"""A watch over tests that use servers: it ends a hang, and says where everyone stood."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
from collections.abc import Callable
from itertools import islice
from types import FrameType, TracebackType
from typing import Any

import pytest

from pytest_windsock import deadline
from pytest_windsock.fixtures import State, hang_timeout_of
from windsock.net import whereabouts
from windsock.net.system import threading

__all__ = ["begin", "close", "end", "suspend"]

GRACE = 1.0
"""Seconds in which a test has to end once the connections of its servers have; or half of what its timeout leaves."""
INSISTING = 5
"""How often, a second apart, an exception is raised in a test that goes on after one."""
SIGNAL: int = getattr(signal, "SIGURG", 0)
"""The signal that has the main thread raise: one that means nothing to whoever does not expect it."""
DEBUGGERS = {"bdb", "pdb", "ipdb", "pydevd", "_pydevd_bundle", "debugpy"}
MOST_PLACES = 20


class _Watch:
    """One thread for a whole run; it sleeps until the bound of the phase that runs."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._before: Any = None
        self.phase: object = None
        """What stands for the phase that runs; None between phases."""
        self.bound = math.inf
        self.seconds = 0.0
        self.grace = GRACE
        self.report = ""
        """What there is to say of a hang of this phase."""
        self.last_resort: Callable[[], object] | None = None
        self._is_to_raise = False

    def begin(self, seconds: float, bound: float, grace: float) -> None:
        """Watch a phase until `bound`; a hang is said to have lasted for `seconds`."""
        with self._changed:
            self.phase, self.seconds, self.bound, self.grace, self.report = object(), seconds, bound, grace, ""
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="windsock watch over hangs", daemon=True)
                self._thread.start()
            else:
                self._changed.notify_all()
        self._expect_signal()

    def _expect_signal(self) -> None:
        self._before = None
        if SIGNAL and threading.current_thread() is threading.main_thread():
            with contextlib.suppress(ValueError, OSError):
                before = signal.getsignal(SIGNAL)
                if before in (signal.SIG_DFL, signal.SIG_IGN):
                    signal.signal(SIGNAL, self._raise)
                    self._before = before

    def end(self) -> str:
        """Return what there is to say of a hang of the phase that ends; empty if there was none."""
        with self._changed:
            self.phase, self.bound, self._is_to_raise = None, math.inf, False
            report, self.report = self.report, ""
        if self._before is not None:
            signal.signal(SIGNAL, self._before)
            self._before = None
        return report

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(5)

    def _raise(self, _: int, frame: FrameType | None) -> None:
        """Raise in the main thread, if the phase that the signal was meant for still runs.

        An event loop is interrupted in its own way: trio and asyncio end in order at a KeyboardInterrupt alone.
        """
        if not self._is_to_raise:
            return
        self._is_to_raise = False
        if whereabouts.runs_event_loop(frame):
            signal.raise_signal(signal.SIGINT)
        else:
            pytest.fail(self.report)

    # --- in the thread

    def _run(self) -> None:
        while not self._is_closed:
            with self._changed:
                phase = self.phase
                left = self.bound - deadline.monotonic()
                if left > 0:
                    self._changed.wait(min(left, 3600.0))
                    continue
                self.bound = math.inf
            if phase is not None:
                self._strike(phase)

    def _strike(self, phase: object) -> None:
        """Say where everyone stands; end the connections, and if that does not help, raise in the test."""
        report = _report(self.seconds)
        with self._changed:
            if self.phase is not phase or _is_debugging():
                return
            self.report = report
        if self._is_over(phase, self.grace, _end_connections):
            return
        for _ in range(INSISTING):
            with self._changed:
                if self.phase is not phase:
                    return
                self._is_to_raise = True
                if SIGNAL and self._before is not None:
                    signal.pthread_kill(_ident_of_main(), SIGNAL)
            if self._is_over(phase, 1.0):
                return
        if self.last_resort is not None:
            self.last_resort()

    def _is_over(self, phase: object, seconds: float, action: Callable[[], object] | None = None) -> bool:
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
    seconds, bound, grace = _bound(item)
    if bound == math.inf or _is_debugging():
        return
    if _watch is None:
        _watch = _Watch()
    if _watch.phase is None:
        _watch.last_resort = deadline.last_resort(item)
        _watch.begin(seconds, bound, grace)


def end() -> str:
    """End the watch over a phase; return what there is to say of its hang, or nothing."""
    return "" if _watch is None else _watch.end()


def suspend() -> None:
    """Watch this phase no more: a debugger is at work."""
    if _watch is not None:
        _watch.end()


def close() -> None:
    """End the watch over the run."""
    global _watch
    watch, _watch = _watch, None
    if watch is not None:
        watch.close()


def _bound(item: pytest.Item) -> tuple[float, float, float]:
    """Return the seconds that a phase may take, the time at which it is a hang, and the grace that it then gets."""
    until, margin, seconds = deadline.of(item)
    if until < math.inf:
        return seconds, until + 0.2 * margin, min(GRACE, 0.4 * margin)
    limit = hang_timeout_of(item.config) or math.inf
    seconds = min(limit, seconds or math.inf)
    return seconds, deadline.monotonic() + seconds, GRACE


def _end_connections() -> None:
    for server in list(State.servers):
        with contextlib.suppress(Exception):
            server.end_connections()


def _report(seconds: float) -> str:
    lines = [
        f"windsock: the test hung: it was not over after {seconds:g} s, so the connections of its servers were ended"
    ]
    main = whereabouts.place_of_thread(_ident_of_main())
    lines += [f"the test stood at {main}"] if main else []
    lines += _conclusions(seconds)
    others = whereabouts.places(without={_ident_of_main(), threading.get_ident()})
    lines += islice(others, MOST_PLACES)
    return "\n  ".join(lines)


def _conclusions(seconds: float) -> list[str]:
    """Return what is concluded from where the test stands now, before its connections are ended."""
    trace: TracebackType | None = None
    frame = sys._current_frames().get(_ident_of_main())
    while frame is not None:
        trace = TracebackType(trace, frame, frame.f_lasti, frame.f_lineno)
        frame = frame.f_back
    with contextlib.suppress(Exception):
        from windsock.findings import findings_for

        error = pytest.fail.Exception(f"Timeout (>{seconds:g}s)")  # as pytest-timeout says it
        State.conclusions = findings_for(State.servers, error.with_traceback(trace))
        State.has_failed = True
    return State.conclusions


def _ident_of_main() -> int:
    return threading.main_thread().ident or 0


def _is_debugging() -> bool:
    trace = sys.gettrace()
    module = getattr(trace, "__module__", None) or type(trace).__module__
    return (trace is not None and module.partition(".")[0] in DEBUGGERS) or deadline.is_debugging()
