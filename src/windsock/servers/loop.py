"""The serve loop: waits for a request or for a stop. Never polls."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from windsock.net.deadlines import milliseconds
from windsock.net.system import monotonic, os, select, selectors, threading
from windsock.net.wakeup import Wakeup

__all__ = ["LoopSelector", "ServeLoop", "Watch"]

# Unlike epoll and kqueue, poll() needs no descriptor of its own; unlike select(), it has no limit of 1024.
LoopSelector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)


class HasFileno(Protocol):
    """An object that a selector can wait for."""

    def fileno(self) -> int:
        """Return the descriptor."""
        ...


class Watch:
    """poll(2) with a callback for each descriptor, without the objects that `selectors` creates for each event."""

    def __init__(self) -> None:
        self._kernel = select.poll()
        self._callbacks: dict[int, Callable[[], None] | None] = {}

    def register(self, what: HasFileno | int, callback: Callable[[], None] | None = None) -> None:
        """Watch for reading; without a callback it is the listener. Raises ValueError if `what` is closed."""
        descriptor = what if isinstance(what, int) else what.fileno()
        if descriptor < 0:
            raise ValueError(f"Invalid file descriptor: {descriptor}")
        self._kernel.register(descriptor, select.POLLIN)
        self._callbacks[descriptor] = callback

    def unregister(self, what: HasFileno | int) -> None:
        """Undo `register()`. Raises KeyError for a descriptor that is not registered or is closed."""
        descriptor = what if isinstance(what, int) else what.fileno()
        del self._callbacks[descriptor]
        self._kernel.unregister(descriptor)

    def ready(self, timeout: float | None) -> list[Callable[[], None] | None]:
        """Wait for at most `timeout` seconds; return the callbacks of what is ready, None for the listener."""
        left = None if timeout is None else milliseconds(timeout)
        return [self._callbacks[descriptor] for descriptor, _ in self._kernel.poll(left)]

    def close(self) -> None:
        """Stop watching. There is no descriptor to close."""
        self._callbacks.clear()


class ServeLoop:
    """One thread's wait for a listener, a wake-up descriptor, and any other descriptors watched.

    A call on the wake-up descriptor means stop, so a forked child can stop its parent's loop too.
    """

    watch_class: Any = Watch

    def __init__(self, listener: HasFileno | None) -> None:
        self.thread_id: int = threading.get_ident()
        self.process_id: int = os.getpid()
        self.stopping: bool = False
        self.is_closed: bool = False
        self._listener = listener
        self._resumes_at: float | None = None
        self._wakeup = Wakeup()
        self._watched = self.watch_class()
        try:
            self._watched.register(self._wakeup, self._stop)
            if listener is not None:
                self._watched.register(listener)
        except BaseException:  # the listener is closed
            self.close()
            raise

    def begin(self) -> None:
        """Take over a loop that another thread may have prepared: from now on it is this thread's."""
        self.thread_id = threading.get_ident()

    def fileno(self) -> int:
        """Return a descriptor that is readable once the loop has been told to stop."""
        return self._wakeup.fileno()

    def stop(self) -> None:
        """Tell the loop to end; from any thread, process or signal handler."""
        if self.process_id == os.getpid():
            self.stopping = True
        self._wakeup.call()

    def is_here(self) -> bool:
        """Return whether the loop runs in this thread of this process."""
        return self.thread_id == threading.get_ident() and self.process_id == os.getpid()

    def is_mine(self) -> bool:
        """Return whether the caller runs in this loop's thread or in another process, and so must not wait for it."""
        return self.thread_id == threading.get_ident() or self.process_id != os.getpid()

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call back in the loop's thread whenever the descriptor is readable. From that thread only."""
        self._watched.register(descriptor, callback)

    def unwatch(self, descriptor: int) -> bool:
        """Undo `watch`; return False if the loop waits on the descriptor, which only its own thread can end."""
        if self.is_closed:
            return True
        if self.is_mine():
            with contextlib.suppress(KeyError):  # in a child forked just after the parent did it
                self._watched.unregister(descriptor)
            return True
        return False

    def rest(self, seconds: float) -> None:
        """Ignore the listener for `seconds`."""
        if self._listener is not None and self._resumes_at is None:
            with contextlib.suppress(KeyError):  # closed just now; the next round notices that
                self._watched.unregister(self._listener)
            self._resumes_at = monotonic() + seconds

    def is_ready(self) -> bool:
        """Return whether a request is ready now."""
        return self._listener is None or None in self._watched.ready(0)

    def wait(self, interval: float | None) -> bool:
        """Wait for at most `interval` seconds; return whether the listener is ready."""
        if self._resumes_at is not None:
            left = max(0.0, self._resumes_at - monotonic())
            interval = left if interval is None else min(interval, left)
        if self._listener is None:
            interval = 0
        listener_is_ready = self._listener is None
        for callback in self._watched.ready(interval):
            if callback is None:
                listener_is_ready = True
            else:
                callback()
        if self._resumes_at is not None:
            self._look_again()
        return listener_is_ready and not self.stopping

    def finish(self) -> None:
        """End the requests that run in this loop, in its own thread. Loops that run requests override it."""

    def close(self) -> None:
        """Close the descriptors."""
        self.is_closed = True
        self._watched.close()
        self._wakeup.close()

    def _stop(self) -> None:
        self.stopping = True

    def _look_again(self) -> None:
        if self._resumes_at is not None and monotonic() >= self._resumes_at:
            self._resumes_at = None
            if self._listener is not None and self._listener.fileno() >= 0:
                self._watched.register(self._listener)
