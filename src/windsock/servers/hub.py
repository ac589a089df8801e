"""One thread's loop in which requests take turns: each is a greenlet, whose turn comes when its socket is ready."""

from __future__ import annotations

import atexit
import contextlib
import errno
import math
import os
import socket
import threading
import weakref
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

from windsock.servers import forks
from windsock.servers.loop import HasFileno, Loop
from windsock.servers.readiness import IN, OUT, Readiness, wait_alone
from windsock.servers.turn import RUNNING, WAITING, Alarms, Turn

__all__ = ["Hub", "my_turn"]

FAREWELL = 0.1
"""Seconds that requests have to end of their own accord, without waiting for anybody, once their loop stops."""
LAST_WAIT = 1.0
"""Seconds that the interpreter's end may be held up."""


class _Alone:
    """Whoever closes a descriptor in no other than the loop's own thread."""

    is_parting = False


ALONE = _Alone()


class Hub(Loop):
    """A serve loop that runs greenlets while it waits.

    Who waits for a descriptor is kept here, what the kernel was asked to watch in `Readiness`, when it is too late
    in `Alarms`.
    """

    watch_class = Readiness
    _watched: Readiness

    def __init__(self, listener: HasFileno | None) -> None:
        self._books = threading.RLock()  # again: a garbage collection may close sockets while it is held
        super().__init__(listener)
        self.home: greenlet = getcurrent()
        self.turns: dict[Turn, None] = {}
        self.stubborn: list[Turn] = []
        """Those that did not end when the loop did."""
        self.handle: Callable[[Any, Any], None] = _nobody
        self.finished: Callable[[Hub], None] = _nothing
        self.seconds_to_end: Callable[[], float] = float
        self.is_over = self.is_elsewhere = False
        forks.renew_in_children(self)
        self.has_ended_one = threading.Condition()
        self._watchers = 0
        self._watching: list[Turn] = []
        self._readers: dict[int, Turn] = {}
        self._writers: dict[int, Turn] = {}
        self._queues: dict[tuple[int, int], list[Turn]] = {}
        self._ready: deque[Turn] = deque()  # others than the loop's thread append
        self._alarms = Alarms()
        self.accepted: Any = None
        """Who knows the traffic of the request that was got last."""
        self.started = 0
        """Requests so far."""
        self.ran = 0
        """Greenlets that had a turn in the latest round."""

    def begin(self) -> None:
        """Make the loop this thread's, and this greenlet the one that all others come back to."""
        super().begin()
        self.home = getcurrent()
        _live.add(self)

    # --- for the greenlets

    def start(self, request: Any, client_address: Any) -> None:
        """Run a request up to the first time that it waits."""
        turn = Turn(self, request, client_address, self.accepted)
        self.accepted = None
        self.started += 1
        self.turns[turn] = None
        turn.switch(request, client_address)

    def run(self, request: Any, client_address: Any) -> None:
        """Be one request's greenlet."""
        try:
            self.handle(request, client_address)
        finally:
            self.turns.pop(getcurrent(), None)  # type: ignore[call-overload]  # it is a Turn
            self._ready.extend(self._watching)
            self._watching = []
            if self._watchers:
                with self.has_ended_one:
                    self.has_ended_one.notify_all()

    def wait_for(self, turn: Turn, descriptor: int, what: int, deadline: float | None, owner: Any = ALONE) -> bool:
        """Let others run until a descriptor is ready; return False if the deadline came first.

        `what` is IN or OUT; `owner` has `is_parting`, which is set before another thread closes the descriptor.
        Raises OSError (EBADF) if it is. To be called in the turn's own greenlet. Not split up: every round trip
        comes by.

        Who closes sets `is_parting`, then looks who waits; who waits says so, then looks at `is_parting`: one of the
        two sees the other.
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

    def let_others(self, turn: Turn) -> None:
        """Let everybody else who is ready have a turn."""
        self._ready.append(turn)
        self._leave(turn, WAITING)

    def _leave(self, turn: Turn, doing: int) -> None:
        """Let others run, until somebody switches back."""
        turn.doing = doing
        turn.since = monotonic()
        try:
            self.home.switch()
        finally:
            self._taken_back(turn)

    def _taken_back(self, turn: Turn) -> None:
        """Note that a greenlet runs again: it was woken, or something was thrown into it to end it."""
        self._forget(turn)
        turn.deadline = None
        turn.doing = RUNNING
        turn.since = monotonic()

    def closing(self, descriptor: int) -> None:
        """Have nobody wait for a descriptor that is about to be closed: they find out, and fail."""
        with self._books:
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
        """Have nobody wait for an owner's descriptor from here on. From any thread, before it is closed."""
        with self._books:
            owner.is_parting = True
            self.closing(descriptor)

    def has_new(self, descriptor: int) -> None:
        """Be told of a new descriptor: one of the same number that is still known was closed behind our back."""
        if descriptor in self._watched.watched:
            self.closing(descriptor)

    def after_fork_in_child(self) -> None:
        """Leave the loop to the parent: in the child, sockets wait as they would anywhere else."""
        self.is_elsewhere = True

    # --- for the loop

    def is_ready(self) -> bool:
        """Return whether a request is there at this very moment."""
        return self._listener is None or wait_alone(self._listener.fileno(), IN, 0.0)

    def _stop(self) -> None:
        """Note the word to stop, which stays to be heard: by others, but no more by this loop."""
        super()._stop()
        self._watched.forget(self._wakeup.fileno())

    def wait(self, interval: float | None) -> bool:
        """Run greenlets for at most `interval` seconds; return as soon as the listener is ready."""
        if self._listener is None:  # the server's get_request() waits, and blocks all
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
        """Return whether somebody has closed the listener: epoll(7) says nothing of it."""
        return self._listener is not None and self._listener.fileno() < 0

    def round(self, end: float | None) -> bool:
        """Wait until something is ready, give all that are ready a turn; return whether the listener is."""
        readers = self._readers
        is_listener_ready = False
        ran = 0
        ready = len(self._ready)  # who comes in meanwhile has a turn in the next round
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
        """See to all but the usual case; return whether it was the listener."""
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
        """Have the kernel watch for what there are greenlets for, unless the number may be somebody else's by now."""
        with self._books:
            if not owner.is_parting:
                what = (IN if descriptor in self._readers else 0) | (OUT if descriptor in self._writers else 0)
                self._watched.watch(descriptor, what)

    def _patience(self, end: float | None) -> float | None:
        """Return how long to wait at the most, in seconds; None for ever."""
        if end is None or self._alarms.next < end:
            end = self._alarms.next
        return None if end == math.inf else max(0.0, end - monotonic())

    def _ring(self) -> None:
        """Wake those whose deadline has passed."""
        now = monotonic()
        for turn in self._alarms.due(now):
            if turn.deadline is not None and turn.deadline <= now:  # nobody has woken it meanwhile
                self._forget(turn)
                turn.switch(False)

    def _forget(self, turn: Turn) -> None:
        """Take a greenlet off those that wait for something."""
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
        """Have the next one in the queue look for itself."""
        self._ready.extend(self._queues.pop((descriptor, what), ()))

    # --- ending

    def finish(self) -> None:
        """End all requests, in this thread.

        They see the end of their streams, then find themselves hung up on, and each time may do what needs no waiting.
        Who then still waits is ended by GreenletExit. Who goes on in spite of it has until the deadline, and
        stays behind in `stubborn`.
        """
        try:
            if self.turns and self.is_here():
                self._end_turns()
        finally:
            self.is_over = True
            _live.discard(self)
            finished, self.finished, self.handle = self.finished, _nothing, _nobody
            self.seconds_to_end = float
            finished(self)
            with self.has_ended_one:
                self.has_ended_one.notify_all()

    def _end_turns(self) -> None:
        deadline = monotonic() + self.seconds_to_end()
        self._watched.forget(self._wakeup.fileno())
        if self._listener is not None:
            self._watched.forget(self._listener.fileno())
        for how in (socket.SHUT_RD, socket.SHUT_RDWR):
            self._shut_down(how)
            self._run_until(min(deadline, monotonic() + FAREWELL), is_patient=False)
        for turn in self.others():
            self._throw(turn)
        self._run_until(deadline, is_patient=True)
        self.stubborn = self.others()
        _abandoned.extend(self.stubborn)

    def _run_until(self, deadline: float, *, is_patient: bool) -> None:
        """Run greenlets until all have ended, or until none can go on without waiting."""
        while self.turns and monotonic() < deadline:
            self.ran = 0
            self.round(deadline if is_patient else 0.0)
            if not (self.ran or is_patient):
                return

    def _throw(self, turn: Turn) -> None:
        self._forget(turn)
        turn.throw(GreenletExit)

    def _shut_down(self, how: int) -> None:
        for turn in list(self.turns):
            if hasattr(turn.request, "shutdown"):
                with contextlib.suppress(OSError, ValueError):
                    turn.request.shutdown(how)

    def close(self) -> None:
        """Give the descriptors back."""
        with self._books:
            super().close()

    def has_ended(self) -> bool:
        """Return whether no greenlet of it will ever run again."""
        return self.is_over

    def wait_for_end(self, timeout: float | None) -> None:
        """Wait until every request but one's own has ended; in the loop's own thread, run them meanwhile."""
        deadline = None if timeout is None else monotonic() + timeout
        if not self.is_here():
            with self.has_ended_one:
                self._watchers += 1
                self.has_ended_one.wait_for(lambda: not self.turns or self.is_over, timeout)
                self._watchers -= 1
            return
        me = getcurrent()
        while self.others() and (deadline is None or monotonic() < deadline):
            if isinstance(me, Turn):
                self._watching.append(me)
                self._alarms.set(me, deadline)
                self._leave(me, WAITING)
            else:
                self.round(deadline)

    def others(self) -> list[Turn]:
        """Return the requests in progress but the one that asks."""
        me = getcurrent()
        return [turn for turn in list(self.turns) if turn is not me and not turn.dead]


_abandoned: list[Turn] = []
"""Greenlets that would not end: kept, since to drop one is to throw GreenletExit into it again."""


def _nothing(hub: Hub) -> None:
    """Do nothing at a hub's end."""


def _nobody(request: Any, client_address: Any) -> None:
    """Handle nothing: the hub has no server yet."""


_live: weakref.WeakSet[Hub] = weakref.WeakSet()


def _end_all() -> None:
    """End the hubs of daemon threads before the interpreter does: it can't end a thread amid a greenlet."""
    hubs = [hub for hub in _live if not (hub.is_elsewhere or hub.is_mine())]
    for hub in hubs:
        hub.stop()
    deadline = monotonic() + LAST_WAIT
    for hub in hubs:
        with hub.has_ended_one:
            hub.has_ended_one.wait_for(hub.has_ended, max(0.0, deadline - monotonic()))


atexit.register(_end_all)
forks.tell_apart(lambda: id(getcurrent()))


def my_turn(hub: Any) -> Turn | None:
    """Return the current greenlet if it is one of the hub's, in the hub's own process."""
    me = getcurrent()
    if type(me) is Turn and me.hub is hub and not me.hub.is_elsewhere:
        if hub.is_over:
            raise GreenletExit
        return me
    return None
