"""The stream side of a proxy: accepts, connects onwards, and hands both ends to a relay."""

from __future__ import annotations

import contextlib
import errno
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from windsock.net import addresses, sockets
from windsock.net.ancillary import own_credentials, peer_credentials
from windsock.net.event_loop import READABLE
from windsock.net.queue_fillers import ListenerState
from windsock.net.system import monotonic, socket
from windsock.net.targets import Target
from windsock.proxies.admission import Admission, AdmissionVerdict
from windsock.proxies.connect import EXHAUSTED, ConnectAttempt
from windsock.proxies.listener import SwitchableListener
from windsock.proxies.recording_tap import ClientNotes, UpstreamNotes, reason
from windsock.proxies.tls import HandshakeAttempt, Termination
from windsock.recording import Connection, Recorder
from windsock.recording.events import Kind
from windsock.relay.connection import StreamRelay
from windsock.relay.firings import Firings
from windsock.relay.handshake_faults import HandshakeFaults, handshake_faults_for
from windsock.relay.loop import RelayLoop

if TYPE_CHECKING:
    from windsock.faults import FaultSet

__all__ = ["StreamFront"]

BATCH = 64
"""Connections accepted in a row before others have their turn."""
FIRST_REST = 0.05
LONGEST_REST = 1.0
MOST_PATIENCE = 0.2
"""Seconds between two attempts to accept up to which the next one is waited for at the end."""
Waiting: TypeAlias = "tuple[_PendingConnection, AdmissionVerdict]"
"""A client that waits without a word, and why."""


class StreamFront:
    """Takes connections from a listener. Lives in its house's thread."""

    def __init__(
        self,
        relay_loop: RelayLoop,
        listener: SwitchableListener,
        upstream: Target,
        fault_set: FaultSet,
        recorder: Recorder | None,
        firings: Firings,
        *,
        termination: Termination | None,
        seconds: float,
        on_error: Callable[[Connection | None, BaseException], object],
    ) -> None:
        self._relay_loop = relay_loop
        self._listener = listener
        self._upstream = upstream
        self._fault_set = fault_set
        self._recorder = recorder
        self._firings = firings
        self._termination = termination
        self._seconds = seconds
        self._nobody = f"no connection to {addresses.show(upstream.address)}"
        self._on_error = on_error
        self._count = 0
        self._rest = 0.0
        self._watched = 0
        self._is_shut = False
        self._pending: set[_PendingConnection] = set()
        self._admission = Admission(fault_set, self._pending.__len__)  # no reference to this front: it would be a cycle
        self._stalled: list[Waiting] = []
        self._put_back: deque[tuple[socket.socket, Any]] = deque()
        self._late: dict[_PendingConnection, float] = {}
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
            self._lose(client, peer, verdict)
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

    def _meet(self, client: socket.socket, peer: Any, verdict: AdmissionVerdict) -> _PendingConnection:
        """Count a client, also one that has to wait, so that the next one is another for what selects connections."""
        connection = self._recorder.open(peer) if self._recorder is not None else None
        pending = _PendingConnection(client, peer, self._count, connection)
        self._count += 1
        if verdict.turned_away:
            pending.faults = verdict.words
        else:
            pending.note_faults(verdict.words)
        return pending

    def _lose(self, client: socket.socket, peer: Any, verdict: AdmissionVerdict) -> None:
        """It was aborted before anybody could accept it."""
        self._end(self._meet(client, peer, verdict), socket.socket.close)

    def _serve(self, pending: _PendingConnection, verdict: AdmissionVerdict) -> None:
        self._pending.add(pending)
        try:
            sockets.prepare(pending.socket)
            if verdict.turned_away:
                self._turn_away(pending, verdict.reason, is_reset=verdict.turned_away == "reset")
            elif verdict.delay:
                self._serve_later(pending, verdict)
            else:
                self._dial(pending)
        except BaseException as error:
            self._on_error(pending.connection, error)
            self._end(pending, sockets.reset)

    def _serve_later(self, pending: _PendingConnection, verdict: AdmissionVerdict) -> None:
        self._late[pending] = when = monotonic() + verdict.delay

        def serve() -> None:
            del self._late[pending]
            self._dial(pending)

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

    def _dial(self, pending: _PendingConnection) -> None:
        ConnectAttempt(
            self._relay_loop,
            self._upstream,
            self._seconds,
            on_done=partial(self._dialed, pending),
            on_lack=partial(self._on_error, pending.connection),
            others=[pending.socket],
        ).start()

    def _dialed(self, pending: _PendingConnection, upstream: socket.socket | None, error: OSError | None) -> None:
        if upstream is None:
            is_theirs = error is not None and error.errno != errno.ECANCELED
            why = f"{self._nobody}: {reason(error)}" if is_theirs and error else ""
            self._turn_away(pending, why, is_reset=is_theirs)
            return
        try:
            sockets.prepare(upstream)
            if pending.connection is not None:
                pending.connection.onward_address = addresses.plain(upstream.getsockname())
            if self._termination is None:
                self._carry(pending, pending.socket, upstream, error)
            else:
                self._secure(pending, upstream, self._termination)
        except BaseException as problem:
            self._on_error(pending.connection, problem)
            sockets.reset(upstream)
            self._end(pending, sockets.reset)

    def _secure(self, pending: _PendingConnection, upstream: socket.socket, termination: Termination) -> None:
        def done(client_end: Any, upstream_end: Any, error: BaseException | None) -> None:
            if error is None:
                self._carry(pending, client_end, upstream_end)
                return
            if isinstance(upstream_end, socket.socket) and termination.upstream is not None:
                self._note_refusal(pending, f"no TLS with {addresses.show(self._upstream.address)}: {error}")
            sockets.close(upstream)
            self._end(pending, sockets.close)

        seconds = self._seconds
        connection = pending.connection
        client = self._behind_handshake_faults(pending) if termination.client is not None else pending.socket
        HandshakeAttempt(
            self._relay_loop, termination, client, upstream, seconds, connection=connection, on_done=done
        ).start()

    def _turn_away(self, pending: _PendingConnection, why: str, *, is_reset: bool) -> None:
        """End the connection: with a reset, so that the client does not take its data for received; or with a close."""
        if why:
            self._note_refusal(pending, why)
        self._end(pending, sockets.reset if is_reset else sockets.close)

    def _handshake_faults(self, pending: _PendingConnection, relay: StreamRelay) -> HandshakeFaults | None:
        return handshake_faults_for(
            relay,
            self._fault_set,
            connection=pending.index,
            peer=pending.peer,
            clock=monotonic,
            note=lambda words: pending.note_faults([words]),
        )

    def _behind_handshake_faults(self, pending: _PendingConnection) -> socket.socket:
        """Return the end of a line to the client on which faults act on its handshake, before it ends here."""
        if not any("handshake" in each.fault.applies_to and each.is_active for each in self._fault_set.handles):
            return pending.socket
        ours, theirs = socket.socketpair()
        sockets.prepare(ours)
        sockets.prepare(theirs)
        relay = StreamRelay(
            self._relay_loop.event_loop, self._relay_loop.scratch, pending.socket, ours, on_end=self._relay_loop.remove
        )
        relay.handshake_faults = self._handshake_faults(pending, relay)
        self._relay_loop.add(relay)
        relay.start()
        pending.socket = theirs
        return theirs

    def _note_refusal(self, pending: _PendingConnection, why: str) -> None:
        pending.note(Kind.REFUSED, why.encode())

    def _carry(self, pending: _PendingConnection, client: Any, upstream: Any, error: OSError | None = None) -> None:
        upward, downward = self._fault_set.links(connection=pending.index, now=monotonic(), peer=pending.peer)
        connection = pending.connection
        relay = StreamRelay(
            self._relay_loop.event_loop,
            self._relay_loop.scratch,
            client,
            upstream,
            upward=upward,
            downward=downward,
            client_notes=ClientNotes(connection) if connection is not None else None,
            upstream_notes=UpstreamNotes(connection) if connection is not None else None,
            delivering=partial(pending.noted_after, Kind.DELIVERED),
            on_closing=partial(pending.begin, Kind.CLOSE),
            on_end=partial(self._ended, pending),
            on_error=partial(self._on_error, connection),
            on_look=self._firings.look,
            on_note=pending.say,
        )
        relay.upstream.error = error
        if client is pending.socket:
            relay.handshake_faults = self._handshake_faults(pending, relay)
        if connection is not None:
            connection.set_relayed(True)
            self._firings.follow(pending.index, connection)
            self._note_credentials(pending)
        self._relay_loop.add(relay)
        relay.start()

    def _note_credentials(self, pending: _PendingConnection) -> None:
        """Note that the server sees this process instead of the client's (SO_PEERCRED)."""
        theirs = peer_credentials(pending.socket)
        if theirs is not None and theirs != own_credentials():
            pending.say(f"the client is {theirs}; SO_PEERCRED shows the server {own_credentials()}")

    def _end(self, pending: _PendingConnection, end: Callable[[socket.socket], object]) -> None:
        """End a client's connection that is not relayed."""
        pending.begin(Kind.CLOSE)
        end(pending.socket)
        pending.note_faults(pending.faults)
        self._leave(pending)

    def _leave(self, pending: _PendingConnection) -> None:
        """Make room for another client: this one has gone."""
        self._pending.discard(pending)
        if self._stalled:
            self._relay_loop.event_loop.call(self._look_at_stalled)
        if pending.connection is not None:
            pending.connection.set_relayed(False)
        pending.note(Kind.CLOSE)

    def _ended(self, pending: _PendingConnection, relay: StreamRelay) -> None:
        self._relay_loop.remove(relay)
        self._firings.look()
        self._firings.leave(pending.index)
        self._leave(pending)


class _PendingConnection:
    """A client on its way in."""

    __slots__ = ("connection", "faults", "index", "peer", "socket")

    def __init__(self, client: socket.socket, peer: Any, index: int, connection: Connection | None) -> None:
        self.socket = client
        self.peer = peer
        self.index = index
        self.connection = connection
        self.faults: list[str] = []
        """What faults do to it, and is noted when it has been done."""

    def say(self, words: str) -> None:
        """Note what came besides the bytes, or cannot be passed on."""
        self.note(Kind.NOTE, words.encode())

    def note(self, kind: int, data: bytes = b"") -> None:
        """Write down what happens to it."""
        if self.connection is not None:
            self.connection.note(kind, data)

    def note_faults(self, words: list[str]) -> None:
        """Write down what faults have done to it."""
        for each in words:
            self.note(Kind.FAULT, each.encode())

    def begin(self, kind: int) -> None:
        """See Connection."""
        if self.connection is not None:
            self.connection.begin(kind)

    def noted_after(self, kind: int) -> contextlib.AbstractContextManager[None]:
        """See Connection."""
        return contextlib.nullcontext() if self.connection is None else self.connection.noted_after(kind)
