"""From a proxy's client to the address behind it: connected, secured, and joined by a relay, or turned away."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from windsock.net import addresses, sockets
from windsock.net.ancillary import own_credentials, peer_credentials
from windsock.net.system import monotonic, socket
from windsock.net.targets import Target
from windsock.proxies.connect import ConnectAttempt
from windsock.proxies.pending_connection import PendingConnection
from windsock.proxies.recording_tap import ClientNotes, UpstreamNotes, reason
from windsock.proxies.tls import HandshakeAttempt, Termination
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.relay.connection import StreamRelay
from windsock.relay.firings import Firings
from windsock.relay.handshake_faults import HandshakeFaults, handshake_faults_for
from windsock.relay.loop import RelayLoop

if TYPE_CHECKING:
    from windsock.faults import FaultSet

__all__ = ["OnwardConnections"]


class OnwardConnections:
    """Connects each client of a proxy onwards, and has a relay join the two ends. Lives in its house's thread."""

    def __init__(
        self,
        relay_loop: RelayLoop,
        upstream: Target,
        fault_set: FaultSet,
        firings: Firings,
        *,
        termination: Termination | None,
        seconds: float,
        on_error: Callable[[Connection | None, BaseException], object],
    ) -> None:
        self._relay_loop = relay_loop
        self._upstream = upstream
        self._fault_set = fault_set
        self._firings = firings
        self._termination = termination
        self._seconds = seconds
        self._nobody = f"no connection to {addresses.show(upstream.address)}"
        self._on_error = on_error

    def begin(self, pending: PendingConnection) -> None:
        """Connect onwards for a client."""
        ConnectAttempt(
            self._relay_loop,
            self._upstream,
            self._seconds,
            on_done=partial(self._connected, pending),
            on_lack=partial(self._on_error, pending.connection),
            others=[pending.socket],
        ).start()

    def _connected(self, pending: PendingConnection, upstream: socket.socket | None, error: OSError | None) -> None:
        if upstream is None:
            is_theirs = error is not None and error.errno != errno.ECANCELED
            why = f"{self._nobody}: {reason(error)}" if is_theirs and error else ""
            pending.turn_away(why, is_reset=is_theirs)
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
            pending.end(sockets.reset)

    def _secure(self, pending: PendingConnection, upstream: socket.socket, termination: Termination) -> None:
        def done(client_end: Any, upstream_end: Any, error: BaseException | None) -> None:
            if error is None:
                self._carry(pending, client_end, upstream_end)
                return
            if isinstance(upstream_end, socket.socket) and termination.upstream is not None:
                pending.note_refusal(f"no TLS with {addresses.show(self._upstream.address)}: {error}")
            sockets.close(upstream)
            pending.end(sockets.close)

        seconds = self._seconds
        connection = pending.connection
        client = self._behind_handshake_faults(pending) if termination.client is not None else pending.socket
        HandshakeAttempt(
            self._relay_loop, termination, client, upstream, seconds, connection=connection, on_done=done
        ).start()

    def _handshake_faults(self, pending: PendingConnection, relay: StreamRelay) -> HandshakeFaults | None:
        return handshake_faults_for(
            relay,
            self._fault_set,
            connection=pending.index,
            peer=pending.peer,
            note=lambda words: pending.note_faults([words]),
        )

    def _behind_handshake_faults(self, pending: PendingConnection) -> socket.socket:
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

    def _carry(self, pending: PendingConnection, client: Any, upstream: Any, error: OSError | None = None) -> None:
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

    def _note_credentials(self, pending: PendingConnection) -> None:
        """Note that the server sees this process instead of the client's (SO_PEERCRED)."""
        theirs = peer_credentials(pending.socket)
        if theirs is not None and theirs != own_credentials():
            pending.say(f"the client is {theirs}; SO_PEERCRED shows the server {own_credentials()}")

    def _ended(self, pending: PendingConnection, relay: StreamRelay) -> None:
        self._relay_loop.remove(relay)
        self._firings.look()
        self._firings.leave(pending.index)
        pending.leave()
