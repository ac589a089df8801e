"""The serve loop of one thread for many requests, each in a greenlet."""

from __future__ import annotations

import atexit
import contextlib
import weakref
from collections.abc import Callable
from typing import Any

from greenlet import GreenletExit, getcurrent

from windsock.net.deadlines import capped
from windsock.net.system import monotonic, socket, threading
from windsock.servers import fork_hooks
from windsock.servers.loop import HasFileno
from windsock.servers.selecting.request_greenlet import WAITING, RequestGreenlet
from windsock.servers.selecting.scheduler import Scheduler

__all__ = ["Hub", "my_turn"]

FAREWELL = 0.1
"""Seconds that requests have to end by themselves, without waiting, once their loop stops."""
LAST_WAIT = 1.0
"""Seconds by which the exit of the interpreter may be delayed."""


class Hub(Scheduler):
    """A serve loop with requests in progress: starts a greenlet for each, and ends them when it stops."""

    def __init__(self, listener: HasFileno | None) -> None:
        super().__init__(listener)
        self.turns: dict[RequestGreenlet, None] = {}
        self.stubborn: list[RequestGreenlet] = []
        """Requests that did not end when the loop did."""
        self.handle: Callable[[Any, Any], None] = _nobody
        self.finished: Callable[[Hub], None] = _nothing
        self.seconds_to_end: Callable[[], float] = float
        self.is_elsewhere: bool = False
        """True in a forked child, to which the loop does not belong."""
        fork_hooks.renew_in_children(self)
        self.has_ended_one: threading.Condition = threading.Condition()
        self._watchers = 0
        self.accepted: Any = None
        """The object that counts the traffic of the latest accepted request."""
        self.started: int = 0
        """The number of requests so far."""

    def begin(self) -> None:
        """Make the loop this thread's, and this greenlet the one that all others switch back to."""
        super().begin()
        self.home = getcurrent()
        _live.add(self)

    # --- requests

    def start(self, request: Any, client_address: Any) -> None:
        """Run a request until it first waits."""
        turn = RequestGreenlet(self, request, client_address, self.accepted)
        self.accepted = None
        self.started += 1
        self.turns[turn] = None
        turn.switch(request, client_address)

    def run(self, request: Any, client_address: Any) -> None:
        """Handle one request; the body of its greenlet."""
        try:
            self.handle(request, client_address)
        finally:
            self.turns.pop(getcurrent(), None)  # type: ignore[call-overload]  # it is a RequestGreenlet
            self._ready.extend(self._watching)
            self._watching = []
            if self._watchers:
                with self.has_ended_one:
                    self.has_ended_one.notify_all()

    def after_fork_in_child(self) -> None:
        """Leave the loop to the parent: in the child, sockets block as usual."""
        self.is_elsewhere = True

    # --- ending

    def finish(self) -> None:
        """End all requests, in this thread.

        Their connections are shut down for reading, then both ways; each time, requests may do what needs no waiting.
        GreenletExit then ends those that still wait. Those that ignore it run until the deadline, and are kept in
        `stubborn`.
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
            # A collection that frees the main greenlet of a thread which has just ended may crash (greenlet 3.5.6
            # drops what it takes for a leaked reference), and a handler with a cycle leads to this object.
            vars(self).pop("home", None)
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
        """Run greenlets until all have ended, or until none can continue without waiting."""
        while self.turns and monotonic() < deadline:
            self.ran = 0
            self.round(deadline if is_patient else 0.0)
            if not (self.ran or is_patient):
                return

    def _throw(self, turn: RequestGreenlet) -> None:
        self._forget(turn)
        turn.throw(GreenletExit)

    def _shut_down(self, how: int) -> None:
        for turn in list(self.turns):
            if hasattr(turn.request, "shutdown"):
                with contextlib.suppress(OSError, ValueError):
                    turn.request.shutdown(how)

    def has_ended(self) -> bool:
        """Return whether none of the loop's greenlets will run again."""
        return self.is_over

    def wait_for_end(self, timeout: float | None) -> None:
        """Wait until every request but the caller's has ended; in the loop's own thread, run them meanwhile."""
        deadline = None if timeout is None else monotonic() + timeout
        if not self.is_here():
            with self.has_ended_one:
                self._watchers += 1
                self.has_ended_one.wait_for(
                    lambda: not self.turns or self.is_over, None if timeout is None else capped(timeout)
                )
                self._watchers -= 1
            return
        me = getcurrent()
        while self.others() and (deadline is None or monotonic() < deadline):
            if isinstance(me, RequestGreenlet):
                self._watching.append(me)
                self._alarms.set(me, deadline)
                self._leave(me, WAITING)
            else:
                self.round(deadline)

    def others(self) -> list[RequestGreenlet]:
        """Return the requests in progress except the caller's."""
        me = getcurrent()
        return [turn for turn in list(self.turns) if turn is not me and not turn.dead]


_abandoned: list[RequestGreenlet] = []
"""Greenlets that did not end. They are kept, since dropping one throws GreenletExit into it again."""


def _nothing(hub: Hub) -> None:
    """Do nothing at a hub's end."""


def _nobody(request: Any, client_address: Any) -> None:
    """Handle nothing: the hub has no server yet."""


_live: weakref.WeakSet[Hub] = weakref.WeakSet()


def _end_all() -> None:
    """End the hubs of daemon threads before the interpreter exits: it cannot end a thread inside a greenlet."""
    hubs = [hub for hub in _live if not (hub.is_elsewhere or hub.is_mine())]
    for hub in hubs:
        hub.stop()
    deadline = monotonic() + LAST_WAIT
    for hub in hubs:
        with hub.has_ended_one:
            hub.has_ended_one.wait_for(hub.has_ended, max(0.0, deadline - monotonic()))


atexit.register(_end_all)
fork_hooks.tell_apart(lambda: id(getcurrent()))


def my_turn(hub: Any) -> RequestGreenlet | None:
    """Return the current greenlet if it is one of the hub's, in the hub's own process."""
    me = getcurrent()
    if type(me) is RequestGreenlet and me.hub is hub and not me.hub.is_elsewhere:
        if hub.is_over:
            raise GreenletExit
        return me
    return None
