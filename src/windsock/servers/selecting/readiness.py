"""A cache of what the kernel watches, so that it is asked only for changes."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from typing import Any

from windsock.net.deadlines import capped, milliseconds
from windsock.net.system import monotonic, os, select, socket
from windsock.net.wakeup import Wakeup

__all__ = ["DONTWAIT", "IN", "OUT", "Readiness", "wait_alone"]

IN = select.POLLIN
OUT = select.POLLOUT
DONTWAIT = int(getattr(socket, "MSG_DONTWAIT", 0))  # a plain number: operators of enums are slow


class Readiness:
    """epoll(7), or poll(2) where there is none, level-triggered.

    Looks to a `Loop` like its own `Watch`. A descriptor stays watched after its greenlet was woken: the next
    wait for the same costs no call. One that is ready while no request waits for it is dropped when that is noticed.
    """

    def __init__(self) -> None:
        self._is_epoll = hasattr(select, "epoll")
        self._kernel: Any = select.epoll() if self._is_epoll else select.poll()
        self.watched: dict[int, int] = {}
        """For what each descriptor is watched."""
        self._callbacks: dict[int, Callable[[], None] | None] = {}
        self._nudges: Wakeup | None = None

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Wait for at most `timeout` seconds; return descriptors with what they are ready for.

        epoll_wait(2) counts in milliseconds, and Python rounds up: never too early.
        """
        if timeout is None:
            return self._kernel.poll()  # type: ignore[no-any-return]
        left = capped(timeout) if self._is_epoll else milliseconds(timeout)
        return self._kernel.poll(left)  # type: ignore[no-any-return]

    def watch(self, descriptor: int, what: int) -> None:
        """Watch for `what` (IN, OUT, both, or 0 for nothing)."""
        if not what:
            self.forget(descriptor)
        elif descriptor in self.watched:
            self._kernel.modify(descriptor, what)
            self.watched[descriptor] = what
        else:
            self._kernel.register(descriptor, what)
            self.watched[descriptor] = what

    def forget(self, descriptor: int) -> None:
        """Watch a descriptor no more."""
        if self.watched.pop(descriptor, None) is not None:
            with contextlib.suppress(OSError, KeyError):
                self._kernel.unregister(descriptor)

    def nudge(self) -> None:
        """Make `poll()` return, from another thread."""
        if self._nudges is None:
            self._nudges = Wakeup()
            self.register(self._nudges, self._nudges.clear)
        self._nudges.call()

    # --- what a Loop asks of what it watches with

    def register(self, what: Any, callback: Callable[[], None] | None = None) -> None:
        """Watch what has a `fileno()` for reading; without a callback it is the listener."""
        descriptor = what if isinstance(what, int) else what.fileno()
        if descriptor < 0:
            raise ValueError(f"Invalid file descriptor: {descriptor}")
        self.watch(descriptor, IN)
        self._callbacks[descriptor] = callback

    def unregister(self, what: Any) -> None:
        """Undo `register()`. Raises KeyError for what is not registered."""
        descriptor = what if isinstance(what, int) else what.fileno()
        if descriptor < 0:  # closed already: it is the one whose number is gone
            raise KeyError(f"{what!r} is closed")
        del self._callbacks[descriptor]
        self.forget(descriptor)

    def callback(self, descriptor: int) -> Callable[[], None] | None:
        """Return whom to call when a descriptor is ready."""
        return self._callbacks.get(descriptor)

    def is_listener(self, descriptor: int) -> bool:
        """Return whether it is registered without a callback."""
        return descriptor in self._callbacks

    def close(self) -> None:
        """Give the descriptors back."""
        self.watched.clear()
        self._callbacks.clear()
        if self._is_epoll:
            self._kernel.close()
        if self._nudges is not None:
            self._nudges.close()


def wait_alone(descriptor: int, what: int, deadline: float | None) -> bool:
    """Wait in a thread (or process) in which no hub runs: there is no other request to switch to.

    Raises OSError (EBADF) for the descriptor of what is closed.
    """
    if descriptor < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    poll = select.poll()
    poll.register(descriptor, what)
    while True:
        if poll.poll(None if deadline is None else milliseconds(deadline - monotonic())):
            return True
        if deadline is not None and monotonic() >= deadline:
            return False
