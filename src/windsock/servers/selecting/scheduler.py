"""A loop that runs greenlets: those that wait for descriptors, and those that are ready, round by round."""

from __future__ import annotations

import errno
import math
from collections import deque
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

from windsock.net.system import monotonic, os, threading
from windsock.servers.loop import HasFileno, ServeLoop
from windsock.servers.selecting.readiness import IN, OUT, PRI, Readiness, wait_alone
from windsock.servers.selecting.request_greenlet import RUNNING, WAITING, Alarms, RequestGreenlet

__all__ = ["Scheduler"]


class _Alone:
    """An owner whose descriptors are closed in the loop's own thread only."""

    is_parting = False


ALONE = _Alone()


class Scheduler(ServeLoop):
    """A serve loop that runs greenlets while it waits.

    It knows which greenlet waits for which descriptor; `Readiness` knows what the kernel watches, and `Alarms` the
    deadlines.
    """

    watch_class = Readiness
    _watched: Readiness

    def __init__(self, listener: HasFileno | None) -> None:
        self._books = threading.RLock()  # reentrant: a garbage collection may close sockets while it is held
        self._ready: deque[RequestGreenlet] = deque()  # others than the loop's thread append
        super().__init__(listener)
        self.home: greenlet = getcurrent()
        self.is_over = False
        """True once there are no more requests."""
        self._watching: list[RequestGreenlet] = []
        """Greenlets that wait for the end of others."""
        self._readers: dict[int, RequestGreenlet] = {}
        self._writers: dict[int, RequestGreenlet] = {}
        self._queues: dict[tuple[int, int], list[RequestGreenlet]] = {}
        self._urgent: set[int] = set()
        """Descriptors whose waits end for urgent data too."""
        self._alarms = Alarms()
        self.ran: int = 0
        """The number of greenlets that ran in the latest round."""

    # --- for the greenlets

    def wait_for(
        self, turn: RequestGreenlet, descriptor: int, what: int, deadline: float | None, owner: Any = ALONE
    ) -> bool:
        """Let others run until a descriptor is ready; return False if the deadline came first.

        `what` is IN or OUT. `owner.is_parting` is set before another thread closes the descriptor; then OSError (EBADF)
        is raised. Must be called in the turn's own greenlet. Not split up, as every wait of every request runs it.

        The closing thread sets `is_parting`, then looks for waiting greenlets; a waiting greenlet registers itself,
        then looks at `is_parting`. So one of the two sees the other.
        """
        if self.is_over:
            raise GreenletExit
        turn.descriptor = descriptor
        waiting = self._readers if what == IN else self._writers
        if descriptor in waiting:
            self._queues.setdefault((descriptor, what), []).append(turn)
        else:
            waiting[descriptor] = turn
            if not self._watched.watched.get(descriptor, 0) & what:
                self._watch_for(descriptor, owner)
        if deadline is not None:
            self._alarms.set(turn, deadline)
        turn.doing = what
        turn.since = monotonic()
        if owner.is_parting:
            self._taken_back(turn)
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        try:
            is_ready: bool = self.home.switch()
        except BaseException:
            self._taken_back(turn)
            raise
        turn.deadline = None
        turn.doing = RUNNING
        turn.since = monotonic()
        return is_ready

    def let_others(self, turn: RequestGreenlet) -> None:
        """Let all other greenlets that are ready run."""
        self._ready.append(turn)
        self._leave(turn, WAITING)

    def _leave(self, turn: RequestGreenlet, doing: int) -> None:
        """Let others run, until the hub switches back."""
        turn.doing = doing
        turn.since = monotonic()
        try:
            self.home.switch()
        finally:
            self._taken_back(turn)

    def _taken_back(self, turn: RequestGreenlet) -> None:
        """Note that a greenlet runs again, whether it was woken or an exception was thrown into it."""
        self._forget(turn)
        turn.deadline = None
        turn.doing = RUNNING
        turn.since = monotonic()

    def watch_urgent(self, descriptor: int) -> None:
        """End waits for a descriptor for urgent data too, until it is closed."""
        self._urgent.add(descriptor)
        self._watched.forget(descriptor)

    def closing(self, descriptor: int) -> None:
        """End all waits for a descriptor that is about to be closed; they raise an error."""
        with self._books:
            self._urgent.discard(descriptor)
            self._watched.forget(descriptor)
            waiting = []
            for what, book in ((IN, self._readers), (OUT, self._writers)):
                if (turn := book.pop(descriptor, None)) is not None:
                    waiting.append(turn)
                waiting += self._queues.pop((descriptor, what), ())
            self._ready.extend(waiting)
            if waiting and not (self.is_mine() or self.is_closed):
                self._watched.nudge()

    def part_with(self, descriptor: int, owner: Any) -> None:
        """Mark an owner as closing, and end all waits for its descriptor. From any thread, before it is closed."""
        with self._books:
            owner.is_parting = True
            self.closing(descriptor)

    def has_new(self, descriptor: int) -> None:
        """Note a new descriptor. If its number is still known, the old one was closed unseen, and its waits end."""
        if descriptor in self._watched.watched:
            self.closing(descriptor)

    # --- for the loop

    def is_ready(self) -> bool:
        """Return whether a request is ready now."""
        return self._listener is None or wait_alone(self._listener.fileno(), IN, 0.0)

    def _stop(self) -> None:
        """Note the stop. The wake-up descriptor stays readable for other threads; this loop stops watching it."""
        super()._stop()
        self._watched.forget(self._wakeup.fileno())

    def wait(self, interval: float | None) -> bool:
        """Run greenlets for at most `interval` seconds; return as soon as the listener is ready."""
        if self._listener is None:  # the server's get_request() waits, and blocks all requests
            self.round(0.0)
            return not self.stopping
        end = None if interval is None else monotonic() + interval
        if self._resumes_at is not None:
            end = self._resumes_at if end is None else min(end, self._resumes_at)
        while True:
            is_listener_ready = self.round(end)
            if is_listener_ready or self.stopping or (end is not None and monotonic() >= end):
                self._look_again()
                return (is_listener_ready or self._has_lost_its_listener()) and not self.stopping

    def _has_lost_its_listener(self) -> bool:
        """Return whether the listener was closed: epoll(7) does not report it."""
        return self._listener is not None and self._listener.fileno() < 0

    def round(self, end: float | None) -> bool:
        """Wait until something is ready, run every greenlet that is; return whether the listener is ready."""
        readers = self._readers
        is_listener_ready = False
        ran = 0
        ready = len(self._ready)  # greenlets added meanwhile run in the next round
        for descriptor, events in self._watched.poll(0.0 if ready else self._patience(end)):
            if events == IN and not self._queues and (turn := readers.pop(descriptor, None)) is not None:
                ran += 1
                turn.switch(True)
            else:
                is_listener_ready |= self._dispatch(descriptor, events)
        for _ in range(min(ready, len(self._ready))):
            turn = self._ready.popleft()
            if not turn.dead:
                ran += 1
                turn.switch(True)
        if self._alarms.next <= monotonic():
            self._ring()
        self.ran = ran
        return is_listener_ready

    def _dispatch(self, descriptor: int, events: int) -> bool:
        """Handle all but the usual event; return whether it was the listener's."""
        woken = []
        for what, book in ((IN, self._readers), (OUT, self._writers)):
            if events & ~(IN + OUT - what) and (turn := book.pop(descriptor, None)):  # also a hang-up, or an error
                woken.append(turn)
                woken += self._queues.pop((descriptor, what), ())
        if woken:
            for turn in woken:
                turn.switch(True)
            return False
        callback = self._watched.callback(descriptor)
        if callback is not None:
            callback()
        elif self._watched.is_listener(descriptor):
            return True
        else:
            self._watch_for(descriptor, ALONE)
        return False

    def _watch_for(self, descriptor: int, owner: Any) -> None:
        """Have the kernel watch for what greenlets wait for, unless the descriptor is being closed."""
        with self._books:
            if not owner.is_parting:
                what = (IN if descriptor in self._readers else 0) | (OUT if descriptor in self._writers else 0)
                self._watched.watch(descriptor, what | PRI if what and descriptor in self._urgent else what)

    def _patience(self, end: float | None) -> float | None:
        """Return the longest wait, in seconds, or None for no limit."""
        if end is None or self._alarms.next < end:
            end = self._alarms.next
        return None if end == math.inf else max(0.0, end - monotonic())

    def _ring(self) -> None:
        """Wake the greenlets whose deadline has passed.

        Look at their descriptors once more: while a greenlet had the loop to itself, data may have come in time.
        """
        now = monotonic()
        for turn in self._alarms.due(now):
            if turn.deadline is not None and turn.deadline <= now:  # it was not woken meanwhile
                is_ready = turn in self._ready or self._has_come(turn)
                self._forget(turn)
                turn.switch(is_ready)

    def _has_come(self, turn: RequestGreenlet) -> bool:
        """Return whether what a greenlet waits for is there."""
        if turn.doing not in (IN, OUT):
            return False
        what = turn.doing | PRI if turn.descriptor in self._urgent else turn.doing
        return wait_alone(turn.descriptor, what, 0.0)

    def _forget(self, turn: RequestGreenlet) -> None:
        """Remove a greenlet from everything that it waits for."""
        with self._books:
            for book in (self._readers, self._writers):
                if book.get(turn.descriptor) is turn:
                    del book[turn.descriptor]
                    self._pass_on(turn.descriptor, IN if book is self._readers else OUT)
            for key, queue in list(self._queues.items()):
                if turn in queue:
                    queue.remove(turn)
                    if not queue:
                        del self._queues[key]
            for waiting in (self._ready, self._watching):
                if turn in waiting:
                    waiting.remove(turn)

    def _pass_on(self, descriptor: int, what: int) -> None:
        """Wake the greenlets in the queue, which check the descriptor themselves."""
        self._ready.extend(self._queues.pop((descriptor, what), ()))

    def close(self) -> None:
        """Close the descriptors."""
        with self._books:
            super().close()
            self._ready.clear()  # the remaining greenlets refer to this loop, and would keep the server alive
            self._listener = None
