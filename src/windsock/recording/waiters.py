"""The threads and tasks that wait for a recording, and the lock under which it changes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from windsock.net.deadlines import capped, milliseconds
from windsock.net.system import monotonic, select, threading
from windsock.net.wakeup import Wakeup
from windsock.recording.listener import Listener

__all__ = ["JoinedWaiters", "Waiters"]

LOOK = 0.01
"""Seconds between two looks at the second recording of a pair of servers."""


class Waiters(list[None]):
    """An entry for each thread or task that waits: a list, since each event asks whether there are any.

    As a context manager it keeps other readers and new events of children out for a while.
    """

    def __init__(self) -> None:
        super().__init__()
        self.of_children: Wakeup | None = None
        """What forked children make readable when they have news."""
        self._changed = threading.Condition()
        self._has_leader = False
        self._listeners: list[Listener] = []

    def __enter__(self) -> None:
        self._changed.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self._changed.release()

    def begin_in_child(self) -> None:
        """Forget those of the parent, in a forked child."""
        self._changed = threading.Condition()
        self._listeners = []
        self.clear()

    def wait_until(self, is_enough: Callable[[], bool], seconds: float) -> bool:
        """Wait until `is_enough()` returns true, for at most `seconds`; return False if it did not."""
        deadline = monotonic() + seconds
        self._changed.acquire()
        try:
            self.append(None)
            while not is_enough():
                left = deadline - monotonic()
                if left <= 0:
                    return False
                self._wait_for_news(left)
            return True
        finally:
            with self._changed:  # again: Ctrl-C may have come in a wait before that had the lock back
                self.pop()
                self._changed.notify_all()
            with contextlib.suppress(RuntimeError):  # likewise
                self._changed.release()

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """Give descriptors for an event loop, one of which becomes readable when a waiting task should check again."""
        listener = Listener()
        with self._changed:
            listener.watch(self.of_children)
            self._listeners.append(listener)
            self.append(None)
        try:
            yield listener
        finally:
            with self._changed:
                self._listeners.remove(listener)
                self.pop()
            listener.close()

    def wake(self) -> None:
        """Make waiting threads and tasks check again."""
        with self._changed:
            self._tell_all()
            if self._has_leader and self.of_children is not None:
                self.of_children.call()

    def watch(self, of_children: Wakeup | None) -> None:
        """Have those who wait watch what forked children make readable, too."""
        with self._changed:
            self.of_children = of_children
            self._tell_all()

    def leave_children(self) -> None:
        """Close what forked children make readable: nothing more will come. If a thread waits on it, wake it first."""
        with self._changed:
            call, self.of_children = self.of_children, None
            if call is not None:
                call.call()
            if self._has_leader:
                self._changed.wait_for(lambda: not self._has_leader, 5)
        if call is not None:
            call.close()

    def clear_news(self) -> None:
        """Make the descriptor that children write to unreadable, and tell the others that wait on it.

        If a thread waits on it too, that thread does so.
        """
        with self._changed:
            call = self.of_children
            if call is not None and not self._has_leader and call.clear():
                self._tell_all()

    def _tell_all(self) -> None:
        self._changed.notify_all()
        for each in self._listeners:
            each.watch(self.of_children)
            each.call()

    def _wait_for_news(self, seconds: float) -> None:
        """Wait on the condition; if children may have news too, one of the waiters waits for them."""
        call = self.of_children
        if call is None or self._has_leader:
            self._changed.wait(capped(seconds))
            return
        self._has_leader = True
        self._changed.release()
        try:
            poll = select.poll()
            poll.register(call.fileno(), select.POLLIN)
            poll.poll(milliseconds(seconds))
            call.clear()
        finally:
            self._changed.acquire()
            self._has_leader = False
            self._tell_all()


class JoinedListener:
    """The listeners of several recordings."""

    def __init__(self, listeners: list[Listener]) -> None:
        self._listeners = listeners

    @property
    def descriptors(self) -> list[int]:
        """The descriptors to watch."""
        return [number for each in self._listeners for number in each.descriptors]

    def clear(self) -> None:
        """Make them unreadable."""
        for each in self._listeners:
            each.clear()


class JoinedWaiters:
    """Those of several recordings. The first is waited for, the others are looked at."""

    def __init__(self, waiters: list[Waiters]) -> None:
        self._waiters = waiters

    def __enter__(self) -> None:
        """Do nothing: those who read the recordings keep others out themselves."""

    def __exit__(self, *exc_info: object) -> None:
        pass

    def wait_until(self, is_enough: Callable[[], bool], seconds: float) -> bool:
        """See Waiters.wait_until."""
        first = self._waiters[0]
        deadline = monotonic() + seconds
        while (left := deadline - monotonic()) > LOOK:
            if first.wait_until(is_enough, LOOK):
                return True
        return first.wait_until(is_enough, max(0.0, left))

    @contextmanager
    def listening(self) -> Iterator[JoinedListener]:
        """See Waiters.listening."""
        with ExitStack() as stack:
            yield JoinedListener([stack.enter_context(each.listening()) for each in self._waiters])

    def clear_news(self) -> None:
        """See Waiters.clear_news."""
        for each in self._waiters:
            each.clear_news()
