"""Has a server handle what its clients sent before they left: waits until nothing of that is left to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from windsock.net.sockets import has_unread
from windsock.net.system import monotonic

if TYPE_CHECKING:
    from windsock.injection.server_faults import ServerFaults
    from windsock.recording import Connection, Recorder
    from windsock.taps import Seam

__all__ = ["Drain"]

GRACE = 1.0
"""Seconds for which something is waited for that may never come: that a server takes another request whose handlers all
wait for their clients, that an async handler goes on."""
LOOK = 0.05
"""Seconds between two looks where nothing is recorded: a handler may read past its request's socket."""


class Drain:
    """Drains one server, each time until a deadline in monotonic seconds. A wait that was in vain is not repeated.

    Each change that matters is recorded, and a wait for the recording looks again then: a request has been accepted, a
    handler has read, a handler has ended.
    """

    def __init__(self, server: Any, seam: Seam, recorder: Recorder) -> None:
        self._server = server
        self._seam = seam
        self._recorder = recorder
        self._faults: ServerFaults | None = None
        self._deadline = 0.0
        self._in_vain: set[Connection] = set()
        """The connections whose handlers were waited for in vain..."""
        self._stuck: set[Connection] = set()
        """...and those that did not end although their clients had left."""
        self._waited = 0.0
        """Seconds that were waited for the former."""
        self._is_stuck_at: int | None = None
        """The number of connections that had been accepted when the server took no more for a whole GRACE."""

    def run(self, faults: ServerFaults | None, deadline: float) -> None:
        """Wait for the queue, for relays, and for handlers, in the order in which a client's bytes pass them."""
        self._faults, self._deadline = faults, deadline
        self._wait_for_queue()
        if faults is not None:
            faults.drain(self._left())
            self._wait_for_queue()  # relayed datagrams come to it last
        self._wait_for_handlers()

    def seconds_left_of(self, seconds: float) -> float:
        """Return how long a stop may take that has `seconds`, less what was waited for handlers that still run.

        At least GRACE, as the stop ends their connections.
        """
        if all(each.is_closed for each in self._in_vain):
            return seconds
        return max(min(seconds, GRACE), seconds - self._waited)

    def begin_again(self) -> None:
        """Forget what was waited for in vain and has ended since: another test begins."""
        self._in_vain = {each for each in self._in_vain if not each.is_closed}
        self._is_stuck_at = None

    def wait_for_leavers(self, seconds: float) -> set[Connection]:
        """Wait for the handlers of clients that have left, and for relays to pass on the ends of their connections.

        Return the connections whose handlers go on, or have not read what their clients sent.
        """
        deadline = monotonic() + seconds

        def leavers() -> list[Connection]:
            self._recorder.catch_up()
            return self._open_ones(lambda each: _ends_by(each, deadline))

        self._recorder.waiters.wait_until(lambda: not leavers(), seconds)
        self._wait_for_relays(min(GRACE, seconds))
        self._recorder.settle()
        found = {*leavers(), *(each for each in self._in_vain if not (each.is_closed or each in self._stuck))}
        self._stuck.update(found)
        return found

    def _wait_for_relays(self, seconds: float) -> None:
        """Wait for relays to pass on the ends of connections that their handlers have ended; a fault may hold one."""

        def ending() -> list[Connection]:
            return self._open_ones(lambda each: each.is_released)

        self._recorder.waiters.wait_until(lambda: not ending(), seconds)
        self._stuck.update(ending())

    def _open_ones(self, is_meant: Callable[[Connection], bool]) -> list[Connection]:
        return [each for each in self._recorder.numbers.carried() if is_meant(each) and each not in self._stuck]

    def take_queue(self, faults: ServerFaults | None, deadline: float) -> None:
        """Wait until the server has accepted all connections or datagrams in its queue, handled or not."""
        self._faults, self._deadline = faults, deadline
        self._wait_for_queue()

    def _wait_for_queue(self) -> None:
        """Wait until the server has accepted all connections, or taken all datagrams, that are there.

        A server at its limit of requests takes no more while the clients of those are silent.
        """
        if self._is_queue_empty():
            return
        give_up_at = monotonic() + GRACE
        while not self._wait(self._is_queue_empty) and monotonic() < self._deadline:
            accepted = list(self._recorder.connections)
            if self._pending(accepted):
                give_up_at = monotonic() + GRACE
            elif monotonic() >= give_up_at or self._is_stuck_at == len(accepted):
                self._is_stuck_at = len(accepted)
                return

    def _is_queue_empty(self) -> bool:
        descriptor = self._server.fileno() if hasattr(self._server, "fileno") else -1
        if descriptor >= 0 and has_unread(descriptor):
            return self._faults is not None and self._faults.keeps_clients_waiting(self._deadline)
        return not self._seam.is_taking  # in this order: a request that is no longer in the queue is being taken

    def _wait_for_handlers(self) -> None:
        """Wait until handlers have ended, or have read all there is and have a client that may send more."""
        waiting = self._pending(list(self._recorder.connections))
        if not waiting:
            return

        def are_done() -> bool:
            waiting[:] = self._pending(waiting)
            return not waiting

        is_async, began = getattr(self._server, "handles_async", False), monotonic()
        until = min(self._deadline, monotonic() + GRACE) if is_async else self._deadline
        while not self._wait(are_done) and monotonic() < until:
            pass
        self._in_vain.update(waiting)
        self._waited = monotonic() - began

    def _pending(self, connections: Iterable[Connection]) -> list[Connection]:
        """Return those whose handlers have something to do."""
        self._recorder.catch_up()
        is_pending = self._seam.is_pending
        return [each for each in connections if each not in self._in_vain and is_pending(each, self._deadline)]

    def _wait(self, is_enough: Callable[[], bool]) -> bool:
        return self._recorder.waiters.wait_until(is_enough, min(LOOK, self._left()))

    def _left(self) -> float:
        return max(0.0, self._deadline - monotonic())


def _ends_by(connection: Connection, time: float) -> bool:
    """Return whether an open connection ends by that time if its handler does its work: its client sends nothing more.

    That is not so for what a relay holds back, nor for a script that rests for longer.
    """
    has_left = connection.is_handled or connection.has_clients_end
    return has_left and not connection.is_released and connection.rests_until <= time
