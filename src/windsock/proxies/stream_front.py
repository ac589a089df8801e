"""The stream side of a proxy: accepts clients, when faults let it, and has them connected onwards."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from windsock.net import sockets
from windsock.net.callbacks import nothing
from windsock.net.event_loop import READABLE
from windsock.net.queue_fillers import ListenerState
from windsock.net.system import monotonic, socket
from windsock.proxies.admission import Admission, AdmissionVerdict
from windsock.proxies.connect import EXHAUSTED
from windsock.proxies.listener import SwitchableListener
from windsock.proxies.onward import OnwardConnections
from windsock.proxies.pending_connection import PendingConnection
from windsock.recording import Connection, Recorder
from windsock.relay.loop import RelayLoop

if TYPE_CHECKING:
    from windsock.faults import FaultSet

__all__ = ["StreamFront"]

BATCH = 64
"""Connections accepted in a row before others have their turn."""
LONGEST_SWITCH = 5.0
"""Seconds that a fault may take to shut or open the listener."""
FIRST_REST = 0.05
LONGEST_REST = 1.0
MOST_PATIENCE = 0.2
"""Seconds between two attempts to accept up to which the next one is waited for at the end."""
Waiting: TypeAlias = "tuple[PendingConnection, AdmissionVerdict]"
"""A client that waits without a word, and why."""


class StreamFront:
    """Takes connections from a listener. Lives in its house's thread."""

    def __init__(
        self,
        relay_loop: RelayLoop,
        listener: SwitchableListener,
        onward: OnwardConnections,
        fault_set: FaultSet,
        recorder: Recorder | None,
        *,
        on_error: Callable[[Connection | None, BaseException], object],
    ) -> None:
        self._relay_loop = relay_loop
        self._listener = listener
        self._recorder = recorder
        self._on_error = on_error
        self._onward = onward
        self._count = 0
        self._rest = 0.0
        self._watched = 0
        self._is_shut = False
        self._pending: set[PendingConnection] = set()
        self._admission = Admission(fault_set, self._pending.__len__)  # no reference to this front: it would be a cycle
        self._stalled: list[Waiting] = []
        self._put_back: deque[tuple[socket.socket, Any]] = deque()
        self._late: dict[PendingConnection, float] = {}
        self._is_closed = False
        self._is_stuck = False

    def start(self) -> None:
        """Begin to accept."""
        self._relay_loop.add(self)
        self.refresh(monotonic())
        self.open()

    def open(self) -> None:
        """Accept (again)."""
        self._is_shut = False
        self._watch()

    def shut(self) -> None:
        """Leave new connections where they are: the system has accepted them, and there is no answer."""
        self._is_shut = True
        self._unwatch()

    def apply_faults(self) -> None:
        """Have faults that have come or gone applied; the listener is as they want it on return. From any thread."""
        self._relay_loop.refresh()
        if self._admission.listener_state() != self._listener.state:
            self._relay_loop.event_loop.ask(nothing, LONGEST_SWITCH)

    def refresh(self, now: float) -> None:  # noqa: ARG002  # what all members are told
        """Faults have come, gone or changed: be as open as they let us."""
        state = self._admission.listener_state()
        if state != self._listener.state and not self._is_closed:
            self._unwatch()
            try:
                self._listener.set_state(state)
            except OSError as error:
                self._listener_is_stuck(error)
            else:
                self._is_stuck = False
                self._admission.note_state(state)
            self._watch()
        self._look_at_stalled()

    def _listener_is_stuck(self, error: OSError) -> None:
        """It could not be opened or filled, for lack of a descriptor: that may pass."""
        if not self._is_stuck:
            self._is_stuck = True
            self._on_error(None, error)
        self._relay_loop.event_loop.later(FIRST_REST, lambda: self.refresh(monotonic()))

    def delivers_by(self, time: float) -> bool:
        """Return whether a client is accepted by then that has had to wait; not one that fails again and again."""
        is_next = bool(self._put_back) and self._rest <= MOST_PATIENCE
        return is_next or any(when <= time for when in self._late.values())

    def finish(self) -> None:
        """Close."""
        self._unwatch()
        self._is_closed = True
        self._listener.close()
        for client in self._waiting():
            client.close()

    def sockets(self) -> Iterable[Any]:
        """Return the sockets that a forked child must close."""
        return [*self._listener.all(), *self._waiting()]

    def _waiting(self) -> list[socket.socket]:
        return [
            *(pending.socket for pending, _ in self._stalled),
            *(client for client, _ in self._put_back),
            *(pending.socket for pending in self._late),
        ]

    def _watch(self) -> None:
        if (
            not self._watched
            and self._listener.state == ListenerState.OPEN
            and not self._is_shut
            and not self._is_closed
        ):
            self._watched = self._listener.socket.fileno()
            self._relay_loop.event_loop.watch(self._watched, READABLE, self._accept)

    def _unwatch(self) -> None:
        if self._watched:
            self._relay_loop.event_loop.forget(self._watched)
            self._watched = 0

    def _accept(self, events: int = READABLE) -> None:  # noqa: ARG002  # it is readable
        for _ in range(BATCH):
            try:
                client, peer, verdict = self._next()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._accept_failed(error)
                return
            self._rest = 0.0
            self._add(client, peer, verdict)

    def _next(self) -> tuple[socket.socket, Any, AdmissionVerdict]:
        """Accept the next client; return it with the decision on it. Raises OSError as accept(2)."""
        client, peer = self._put_back.popleft() if self._put_back else self._listener.accept()
        verdict = self._admission.verdict_on(self._count, peer)
        error = verdict.error
        if error is None:
            return client, peer, verdict
        if error.errno == errno.ECONNABORTED:
            self._meet(client, peer, verdict).end(socket.socket.close)  # it was aborted before an accept
        else:
            self._put_back.append((client, peer))  # the connection stays in the queue (accept(2))
        if self._recorder is not None:
            self._recorder.expected.append(error)
        raise error

    def _accept_failed(self, error: OSError) -> None:
        if error.errno not in EXHAUSTED and not self._put_back:
            return  # that client is gone already (accept(2))
        if not self._rest:
            self._on_error(None, error)
        self._rest = min(LONGEST_REST, self._rest * 2 or FIRST_REST)
        self._unwatch()
        self._relay_loop.event_loop.at(monotonic() + self._rest, self._try_again)

    def _try_again(self) -> None:
        self._watch()
        if self._put_back and self._watched:
            self._accept()

    def _add(self, client: socket.socket, peer: Any, verdict: AdmissionVerdict) -> None:
        pending = self._meet(client, peer, verdict)
        if verdict.stalled_by is not None:
            self._stalled.append((pending, verdict))
        else:
            self._serve(pending, verdict)

    def _meet(self, client: socket.socket, peer: Any, verdict: AdmissionVerdict) -> PendingConnection:
        """Count a client, also one that has to wait, so that the next one is another for what selects connections."""
        connection = self._recorder.open(peer) if self._recorder is not None else None
        pending = PendingConnection(client, peer, self._count, connection, self._leave)
        self._count += 1
        if verdict.turned_away:
            pending.faults = verdict.words
        else:
            pending.note_faults(verdict.words)
        return pending

    def _serve(self, pending: PendingConnection, verdict: AdmissionVerdict) -> None:
        self._pending.add(pending)
        try:
            sockets.prepare(pending.socket)
            if verdict.turned_away:
                pending.turn_away(verdict.reason, is_reset=verdict.turned_away == "reset")
            elif verdict.delay:
                self._serve_later(pending, verdict)
            else:
                self._onward.begin(pending)
        except BaseException as error:
            self._on_error(pending.connection, error)
            pending.end(sockets.reset)

    def _serve_later(self, pending: PendingConnection, verdict: AdmissionVerdict) -> None:
        self._late[pending] = when = monotonic() + verdict.delay

        def serve() -> None:
            del self._late[pending]
            self._onward.begin(pending)

        self._relay_loop.event_loop.at(when, serve)

    def _look_at_stalled(self) -> None:
        """Serve the clients that have waited for a fault that has passed."""
        waiting, self._stalled = self._stalled, []
        for pending, verdict in waiting:
            if verdict.stalled_by is not None and self._admission.still_stalls(verdict.stalled_by):
                self._stalled.append((pending, verdict))
            else:
                verdict.stalled_by = None
                self._serve(pending, verdict)

    def _leave(self, pending: PendingConnection) -> None:
        self._pending.discard(pending)
        if self._stalled:
            self._relay_loop.event_loop.call(self._look_at_stalled)
