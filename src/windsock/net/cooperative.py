"""Waits with gevent: while the test's own thread waits for windsock, its other greenlets run.

windsock's threads are real ones without greenlets of the test, and wait as usual. For the main thread, a thread of
gevent's pool waits.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["Lock", "Poll", "sleep"]

gevent: Any = import_module("gevent")  # untyped, as it may not be installed
monkey: Any = import_module("gevent.monkey")
allocate_lock, get_ident = monkey.get_original("_thread", ["allocate_lock", "get_ident"])
original_poll: Any = monkey.get_original("select", "poll")
original_sleep: Any = monkey.get_original("time", "sleep")
MAIN = get_ident()
"""The thread that imports windsock, which is the one that runs the tests."""


def _wait(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function that waits: in this thread, or in another one if this is the main thread."""
    if get_ident() != MAIN:
        return function(*arguments)
    return gevent.get_hub().threadpool.apply(function, arguments)


def sleep(seconds: float) -> None:
    """See time.sleep."""
    (gevent.sleep if get_ident() == MAIN else original_sleep)(seconds)


class Lock:
    """See threading.Lock."""

    __slots__ = ("__weakref__", "_at_fork_reinit", "_lock", "locked", "release")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self.release: Callable[[], None] = self._lock.release
        self.locked: Callable[[], bool] = self._lock.locked
        self._at_fork_reinit: Callable[[], None] = self._lock._at_fork_reinit  # which `threading` requires of its locks

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """See threading.Lock."""
        if self._lock.acquire(False):
            return True
        return blocking and timeout != 0 and bool(_wait(self._lock.acquire, True, timeout))

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Poll:
    """See select.poll."""

    def __init__(self) -> None:
        poll = original_poll()
        self.register, self.modify, self.unregister = poll.register, poll.modify, poll.unregister
        self._poll = poll.poll

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        """See select.poll."""
        found: list[tuple[int, int]] = self._poll(0)
        if not found and timeout != 0:
            found = _wait(self._poll, timeout)
        return found
