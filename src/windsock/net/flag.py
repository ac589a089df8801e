"""An event that one thread waits for. Ctrl-C in a wait is only that: threading.Event may raise RuntimeError instead."""

from __future__ import annotations

from windsock.net.system import threading

__all__ = ["Flag"]


class Flag:
    """Is set once, and waited for once: a lock that is released by then."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """End the wait. Must be called at most once."""
        self._lock.release()

    def wait(self, seconds: float) -> bool:
        """Return whether it is set within these seconds."""
        return self._lock.acquire(timeout=seconds)
