"""One thread that waits for descriptors, timers, and calls from other threads, and runs the actions that are due."""

from __future__ import annotations

import contextlib
import heapq
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from windsock.net.callbacks import nothing
from windsock.net.deadlines import capped
from windsock.net.flag import Flag
from windsock.net.poller import Poller
from windsock.net.system import monotonic, os, select, threading
from windsock.net.wakeup import Wakeup

__all__ = ["ERROR", "HUNG_UP", "READABLE", "URGENT", "WRITABLE", "EventLoop", "OnError", "Timer"]

READABLE, WRITABLE = int(select.POLLIN), int(select.POLLOUT)  # plain numbers, the same for poll(2) and epoll(7)
URGENT = int(select.POLLPRI)
ERROR, HUNG_UP = int(select.POLLERR), int(select.POLLHUP)


Action = Callable[[], object]
OnError: TypeAlias = Callable[[Any], object]
"""A function that is called with exceptions of any kind, as pytest's own outcomes are no Exceptions."""


class Timer:
    """An action at a time in monotonic seconds, unless it is cancelled. `is_exact`: as precisely as possible."""

    __slots__ = ("action", "is_exact", "time")

    def __init__(self, time: float, action: Action | None, *, is_exact: bool = True) -> None:
        self.time: float = time
        self.action = action
        self.is_exact: bool = is_exact

    def __lt__(self, other: Timer) -> bool:
        return self.time < other.time

    def cancel(self) -> None:
        """Cancel the action."""
        self.action = None


class EventLoop:
    """Calls back when a descriptor is ready or a timer is due, all in one thread.

    The thread is one that `start()` starts, or the one that calls `run()`. `call()` and `stop()` may be called from any
    thread, everything else only in the loop's own. Timers are exact to about 0.1 ms, even where epoll(7) counts whole
    milliseconds. Exceptions of actions go to `on_error`.
    """

    def __init__(self, name: str, on_error: OnError, at_end: Action) -> None:
        self.name = name
        self._on_error = on_error
        self._at_end = at_end
        self._process_id = os.getpid()
        self._actions: dict[int, Callable[[int], object]] = {}
        self._timers: list[Timer] = []
        self._calls: deque[Action] = deque()
        self._quiet: list[tuple[Callable[[], bool], Flag]] = []
        self._is_stopping = False
        self._is_closed = False
        self._gate = threading.Lock()
        """Held by callers, so that none writes to a descriptor that was closed and may have been reused."""
        self._wakeup = Wakeup()
        try:
            self._poller = Poller()
        except BaseException:
            self._wakeup.close()
            raise
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.watch(self._wakeup.fileno(), READABLE, self._clear)

    def start(self) -> None:
        """Start the thread. Raises RuntimeError, and releases everything, if that is not possible."""
        try:
            self._thread.start()
        except BaseException:
            self._close()
            raise

    def run(self) -> None:
        """Do the work in this thread, in place of `start()`, until `stop()`. Raises what `on_error` raises."""
        self._thread = threading.current_thread()
        self._run()

    def stop(self, seconds: float) -> bool:
        """End the loop after the current action; return False if it has not ended within `seconds`."""
        self._is_stopping = True
        if self._process_id != os.getpid():
            return True
        self._wake()
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join(capped(seconds))
        return not self._thread.is_alive()

    def is_here(self) -> bool:
        """Return whether this is the loop's own thread."""
        return threading.current_thread() is self._thread

    def is_running(self) -> bool:
        """Return whether there is a thread that will answer a call."""
        return self._thread.is_alive() and not self._is_stopping and self._process_id == os.getpid()

    def call(self, action: Action) -> None:
        """Run an action soon, before any event that arrives from now on. From any thread."""
        self._calls.append(action)
        self._wake()

    def _wake(self) -> None:
        with self._gate:
            if not self._is_closed:
                self._wakeup.call()

    def ask(self, action: Action, seconds: float) -> bool:
        """Run an action and wait for it; return False if it did not run in time, or never will.

        From any thread.
        """
        if self.is_here():
            action()
            return True
        if not self.is_running():
            return False
        done = Flag()

        def act() -> None:
            try:
                action()
            finally:
                done.set()

        self.call(act)
        return done.wait(capped(seconds))

    def wait_until_quiet(self, is_done: Callable[[], bool], seconds: float) -> bool:
        """Wait until no descriptor is ready, no call is left, and `is_done()` returns true, for at most `seconds`.

        `is_done` is called in the loop's thread, after each of its turns. Returns False if that took too long. From any
        other thread.
        """
        if self.is_here() or not self.is_running():
            return False
        quiet = is_done, Flag()
        self.call(lambda: self._quiet.append(quiet))
        is_quiet = quiet[1].wait(capped(seconds))
        if not is_quiet:
            self.call(lambda: self._quiet.remove(quiet) if quiet in self._quiet else None)
        return is_quiet

    def watch(self, descriptor: int, events: int, action: Callable[[int], object]) -> None:
        """Call back with the events, those of poll(2), whenever there are any."""
        self._actions[descriptor] = action
        try:
            self._poller.register(descriptor, events)
        except BaseException:
            del self._actions[descriptor]
            raise

    def change(self, descriptor: int, events: int) -> None:
        """Watch for other events. Errors and hang-ups are always reported."""
        self._poller.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Stop watching a descriptor. Must be called before it is closed."""
        if self._actions.pop(descriptor, None) is not None:
            with contextlib.suppress(OSError):
                self._poller.unregister(descriptor)

    def at(self, time: float, action: Action, *, is_exact: bool = True) -> Timer:
        """Run an action at a time in monotonic seconds; with `is_exact=False` a little later, without a busy wait."""
        timer = Timer(time, action, is_exact=is_exact)
        heapq.heappush(self._timers, timer)
        return timer

    def later(self, seconds: float, action: Action) -> Timer:
        """Run an action in `seconds` or a little later, without a busy wait."""
        return self.at(monotonic() + seconds, action, is_exact=False)

    def abandon(self) -> None:
        """Close the descriptors in a forked child, which does not have the thread."""
        self._gate = threading.Lock()
        self._is_stopping = True
        if not self._is_closed:
            self._close()

    # --- the thread

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                self._turn()
        finally:
            try:
                self._at_end()
            except BaseException as error:
                self._on_error(error)
            self._close()

    def _turn(self) -> None:
        soonest = self._timers[0] if self._timers else None
        ready = (
            self._poller.wait(None) if soonest is None else self._poller.wait(soonest.time, is_exact=soonest.is_exact)
        )
        if self._calls:
            self._wakeup.clear()  # in this order: a call may come at any moment
            self._answer()
        actions = self._actions
        for descriptor, events in ready:
            action = actions.get(descriptor)
            if action is not None:
                try:
                    action(events)
                except BaseException as error:
                    self._on_error(error)
        if self._timers:
            self._ring()
        if self._quiet:
            self._look_for_quiet()

    def _look_for_quiet(self) -> None:
        """Wake the threads that wait for quiet, if there is nothing left to do."""
        if self._calls or self._poller.is_ready():
            return
        waiting, self._quiet = self._quiet, []
        for is_done, flag in waiting:
            if is_done():
                flag.set()
            else:
                self._quiet.append((is_done, flag))

    def _answer(self) -> None:
        for _ in range(len(self._calls)):  # calls added meanwhile wait for the next turn
            self._do(self._calls.popleft())

    def _ring(self) -> None:
        now = monotonic()
        while self._timers and (self._timers[0].time <= now or self._timers[0].action is None):
            action = heapq.heappop(self._timers).action
            if action is not None:
                self._do(action)

    def _do(self, action: Action) -> None:
        try:
            action()
        except BaseException as error:
            self._on_error(error)

    def _clear(self, events: int) -> None:  # noqa: ARG002  # every action of a descriptor gets it
        self._wakeup.clear()
        self._answer()

    def _close(self) -> None:
        """Close the descriptors, and drop all callbacks: a cycle would wait for the collector."""
        with self._gate:
            self._is_closed = True
            self._wakeup.close()
        self._poller.close()
        self._actions.clear()
        self._timers.clear()
        self._calls.clear()
        for _, flag in self._quiet:
            flag.set()
        self._quiet.clear()
        self._on_error = self._at_end = nothing
