"""A cache of the descriptors that the kernel watches, so that only changes cost a call."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from typing import Any

from windsock.net.deadlines import capped, milliseconds
from windsock.net.system import monotonic, os, select, socket
from windsock.net.wakeup import Wakeup

__all__ = ["DONTWAIT", "IN", "OUT", "PRI", "Readiness", "wait_alone"]

IN = select.POLLIN
OUT = select.POLLOUT
PRI = select.POLLPRI
DONTWAIT = int(getattr(socket, "MSG_DONTWAIT", 0))  # a plain number: enum operators are slow


class Readiness:
    """epoll(7), or poll(2) where there is none, level-triggered.

    Offers a loop the methods of `Watch`. A descriptor stays watched after its greenlet was woken, so the next wait
    for the same event costs no call. One that is ready while no request waits for it is dropped at that moment.
    """

    def __init__(self) -> None:
        self._is_epoll = hasattr(select, "epoll")
        self._kernel: Any = select.epoll() if self._is_epoll else select.poll()
        self.watched: dict[int, int] = {}
        """The events that each descriptor is watched for."""
        self._callbacks: dict[int, Callable[[], object] | None] = {}
        self._nudges: Wakeup | None = None
        if not self._is_epoll:  # a poll() in progress does not see what is registered meanwhile
            self._watch_nudges()

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Wait for at most `timeout` seconds; return ready descriptors with their events.

        epoll_wait(2) counts in milliseconds, and Python rounds up, so it never returns too early.
        """
        if timeout is None:
            return self._kernel.poll()  # type: ignore[no-any-return]
        left = capped(timeout) if self._is_epoll else milliseconds(timeout)
        return self._kernel.poll(left)  # type: ignore[no-any-return]

    def watch(self, descriptor: int, what: int) -> None:
        """Watch a descriptor for `what` (IN, OUT, both, or 0 for nothing)."""
        if not what:
            self.forget(descriptor)
        elif descriptor in self.watched:
            self._kernel.modify(descriptor, what)
            self.watched[descriptor] = what
        else:
            self._kernel.register(descriptor, what)
            self.watched[descriptor] = what

    def forget(self, descriptor: int) -> None:
        """Stop watching a descriptor."""
        if self.watched.pop(descriptor, None) is not None:
            with contextlib.suppress(OSError, KeyError):
                self._kernel.unregister(descriptor)

    def nudge(self) -> None:
        """Make `poll()` return; from another thread."""
        (self._nudges or self._watch_nudges()).call()

    def _watch_nudges(self) -> Wakeup:
        self._nudges = made = Wakeup()
        self.register(made, made.clear)
        return made

    # --- the methods of Watch

    def register(self, what: Any, callback: Callable[[], object] | None = None) -> None:
        """Watch an object with a `fileno()` for reading; without a callback it is the listener."""
        descriptor = what if isinstance(what, int) else what.fileno()
        if descriptor < 0:
            raise ValueError(f"Invalid file descriptor: {descriptor}")
        self.watch(descriptor, IN)
        self._callbacks[descriptor] = callback

    def unregister(self, what: Any) -> None:
        """Undo `register()`. Raises KeyError for a descriptor that is not registered."""
        descriptor = what if isinstance(what, int) else what.fileno()
        if descriptor < 0:  # closed already, so its number is unknown
            raise KeyError(f"{what!r} is closed")
        del self._callbacks[descriptor]
        self.forget(descriptor)

    def callback(self, descriptor: int) -> Callable[[], object] | None:
        """Return the callback of a descriptor."""
        return self._callbacks.get(descriptor)

    def is_listener(self, descriptor: int) -> bool:
        """Return whether the descriptor is registered without a callback."""
        return descriptor in self._callbacks

    def close(self) -> None:
        """Close the descriptors."""
        self.watched.clear()
        self._callbacks.clear()
        if self._is_epoll:
            self._kernel.close()
        if self._nudges is not None:
            self._nudges.close()


def wait_alone(descriptor: int, what: int, deadline: float | None) -> bool:
    """Wait for a descriptor in a thread or process without a hub; return False if the deadline came first.

    Raises OSError (EBADF) if the descriptor is closed.
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
