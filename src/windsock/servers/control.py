"""Starts and stops the serve loops of one server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from windsock.net.deadlines import capped
from windsock.net.system import monotonic, os, threading
from windsock.servers import fork_hooks
from windsock.servers.loop import HasFileno, ServeLoop

__all__ = ["Control"]

FIRST_REST = 0.05
LONGEST_REST = 1.0


class Control:
    """The serve loops of one server, and requests to stop them.

    A stop before the first loop is remembered for it. A stop after the last loop has ended has no effect, so
    the server can serve again. Reentrant, so that a signal handler may stop the loop it interrupts.
    """

    def __init__(self, loop_class: type[ServeLoop] = ServeLoop) -> None:
        self._loop_class = loop_class
        self._loops: list[ServeLoop] = []
        self._prepared: ServeLoop | None = None
        self.after_fork_in_child()
        fork_hooks.renew_in_children(self)
        self._has_served = False
        self._stop_before_start = False
        self._rest = 0.0

    def after_fork_in_child(self) -> None:
        """Replace the locks, and drop the prepared loop, which is the parent's."""
        if self._prepared is not None:
            self._drop(self._prepared)
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self.turn: threading.Lock = threading.Lock()

    def prepare(self, listener: HasFileno | None) -> None:
        """Create the next loop in advance, so that its thread can wait at once."""
        with self._lock:
            if self._prepared is not None:
                self._drop(self._prepared)
            self._prepared = self._loop_class(listener)

    @contextmanager
    def serving(self, listener: HasFileno | None) -> Iterator[ServeLoop | None]:
        """Call `begin()` and `end()` around a `with` block."""
        loop = self.begin(listener)
        try:
            yield loop
        finally:
            if loop is not None:
                self.end(loop)

    def begin(self, listener: HasFileno | None) -> ServeLoop | None:
        """Return this thread's loop, or None if the server was stopped before it ever served."""
        with self._lock:
            self._has_served = True
            is_stopped, self._stop_before_start = self._stop_before_start, False
            loop = None if is_stopped else self._prepared or self._loop_class(listener)
            if loop is not None:
                self._prepared = None
                loop.begin()
                self._loops.append(loop)
        return loop

    def end(self, loop: ServeLoop) -> None:
        """Finish a loop and forget it."""
        loop.finish()
        with self._lock:
            self._loops.remove(loop)
            loop.close()
            self._idle.notify_all()

    def here(self) -> ServeLoop | None:
        """Return the loop that runs in this thread of this process; the innermost one, if a handler serves too."""
        return next((loop for loop in reversed(self._loops) if loop.is_here()), None)

    def is_shared(self) -> bool:
        """Return whether more than one thread serves."""
        return len(self._loops) > 1

    def is_stopping(self) -> bool:
        """Return whether this thread's loop has been told to stop."""
        loop = self.here()
        return loop is not None and loop.stopping

    def stop(self, *, parents_too: bool = True) -> None:
        """Tell every loop to end, without waiting; in a forked child, the parent's loops too if `parents_too`."""
        with self._lock:
            if self._prepared is not None or not self._has_served:
                self._stop_before_start = True
            if self._prepared is not None:
                self._drop(self._prepared)
            for loop in self._loops:
                if parents_too or loop.process_id == os.getpid():
                    loop.stop()

    def _drop(self, prepared: ServeLoop) -> None:
        self._prepared = None
        prepared.close()

    def wait(self, seconds: float | None) -> bool:
        """Wait until only the caller's own loop is left; return False if that takes longer than `seconds`."""
        deadline = None if seconds is None else monotonic() + seconds
        with self._idle:
            while any(not loop.is_mine() for loop in self._loops):
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    return False
                self._idle.wait(None if left is None else capped(left))
        return True

    def next_rest(self) -> float:
        """Return how long to pause accepting after one more failure in a row, in seconds."""
        self._rest = min(LONGEST_REST, self._rest * 2 or FIRST_REST)
        return self._rest

    def is_resting(self) -> bool:
        """Return whether the latest attempt to accept a request failed."""
        return self._rest > 0

    def recovered(self) -> None:
        """Note that the listener works, so that the next pause is a short one."""
        self._rest = 0.0
