"""The stream side of a proxy: accepts, connects onwards, and hands both ends to a relay."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from windsock import addresses
from windsock.recording import Connection, Recorder
from windsock.recording.events import Kind
from windsock.wire import sockets
from windsock.wire.clockwork import READABLE
from windsock.wire.firings import Firings
from windsock.wire.proxy_dialing import EXHAUSTED, Dialing
from windsock.wire.proxy_notes import ClientNotes, UpstreamNotes, reason
from windsock.wire.proxy_places import Place
from windsock.wire.proxy_tls import Termination
from windsock.wire.relay import House
from windsock.wire.relay_streams import StreamRelay

if TYPE_CHECKING:
    from windsock.faults import Weather

__all__ = ["StreamFront"]

BATCH = 64
"""Connections accepted in a row before others have their turn."""
FIRST_REST = 0.05
LONGEST_REST = 1.0


class StreamFront:
    """Takes connections from a listener. Lives in its house's thread."""

    def __init__(
        self,
        house: House,
        listener: socket.socket,
        upstream: Place,
        weather: Weather,
        recorder: Recorder | None,
        firings: Firings,
        *,
        termination: Termination | None,
        seconds: float,
        on_error: Callable[[Connection | None, BaseException], None],
    ) -> None:
        self._house = house
        self._listener = listener
        self._upstream = upstream
        self._weather = weather
        self._recorder = recorder
        self._firings = firings
        self._termination = termination
        self._seconds = seconds
        self._on_error = on_error
        self._count = 0
        self._rest = 0.0
        self._is_watching = False
        self._is_closed = False

    def start(self) -> None:
        """Begin to accept."""
        self._house.admit(self)
        self.open()

    def open(self) -> None:
        """Accept (again)."""
        if not self._is_watching and not self._is_closed:
            self._house.clockwork.watch(self._listener.fileno(), READABLE, self._accept)
            self._is_watching = True

    def shut(self) -> None:
        """Leave new connections where they are: the system has accepted them, and nobody answers."""
        if self._is_watching:
            self._house.clockwork.forget(self._listener.fileno())
            self._is_watching = False

    def refresh(self, now: float) -> None:
        """Nothing: faults are asked for at each connection."""

    def finish(self) -> None:
        """Close."""
        self.shut()
        self._is_closed = True
        self._listener.close()

    def sockets(self) -> Iterable[Any]:
        """Return what a forked child has to give back."""
        return [self._listener]

    def _accept(self, events: int) -> None:  # noqa: ARG002  # it is readable
        for _ in range(BATCH):
            try:
                client, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._accept_failed(error)
                return
            self._rest = 0.0
            self._admit(client, addresses.plain(peer))

    def _accept_failed(self, error: OSError) -> None:
        if error.errno not in EXHAUSTED:
            return  # that client is gone already (accept(2))
        if not self._rest:
            self._on_error(None, error)
        self._rest = min(LONGEST_REST, self._rest * 2 or FIRST_REST)
        self.shut()
        self._house.clockwork.at(monotonic() + self._rest, self.open)

    def _admit(self, client: socket.socket, peer: Any) -> None:
        connection = self._recorder.open(peer) if self._recorder is not None else None
        index, self._count = self._count, self._count + 1
        try:
            sockets.prepare(client)
            guest = _Guest(client, peer, index, connection)
            self._dial(guest)
        except Exception as error:
            self._on_error(connection, error)
            sockets.reset(client)

    def _dial(self, guest: _Guest) -> None:
        Dialing(
            self._house,
            self._upstream.family,
            self._upstream.address,
            self._seconds,
            on_done=partial(self._dialed, guest),
            on_lack=partial(self._on_error, guest.connection),
            others=[guest.socket],
        ).start()

    def _dialed(self, guest: _Guest, upstream: socket.socket | None, error: OSError | None) -> None:
        if upstream is None:
            self._turn_away(guest, error)
            return
        try:
            sockets.prepare(upstream)
            self._carry(guest, upstream)
        except Exception as problem:
            self._on_error(guest.connection, problem)
            sockets.reset(upstream)
            guest.note(Kind.CLOSE)
            sockets.reset(guest.socket)

    def _turn_away(self, guest: _Guest, error: OSError | None) -> None:
        """Reset the client: it must not think that somebody took what it sent, and had nothing to say."""
        if error is not None and error.errno != errno.ECANCELED:
            where = addresses.show(self._upstream.address)
            guest.note(Kind.REFUSED, f"no connection to {where}: {reason(error)}".encode())
        guest.note(Kind.CLOSE)
        sockets.reset(guest.socket)

    def _carry(self, guest: _Guest, upstream: socket.socket) -> None:
        chain = partial(self._weather.link, connection=guest.index, now=monotonic(), peer=guest.peer)
        connection = guest.connection
        relay = StreamRelay(
            self._house.clockwork,
            self._house.scratch,
            guest.socket,
            upstream,
            upward=chain(direction="upstream"),
            downward=chain(direction="downstream"),
            client_notes=ClientNotes(connection) if connection is not None else None,
            upstream_notes=UpstreamNotes(connection) if connection is not None else None,
            on_end=partial(self._ended, guest),
            on_error=partial(self._on_error, connection),
            on_look=self._firings.look,
        )
        if connection is not None:
            self._firings.follow(guest.index, connection)
        self._house.admit(relay)
        relay.start()

    def _ended(self, guest: _Guest, relay: StreamRelay) -> None:
        self._house.dismiss(relay)
        self._firings.look()
        self._firings.leave(guest.index)
        guest.note(Kind.CLOSE)


class _Guest:
    """A client on its way in."""

    __slots__ = ("connection", "index", "peer", "socket")

    def __init__(self, client: socket.socket, peer: Any, index: int, connection: Connection | None) -> None:
        self.socket = client
        self.peer = peer
        self.index = index
        self.connection = connection

    def note(self, kind: int, data: bytes = b"") -> None:
        """Write down what happens to it."""
        if self.connection is not None:
            self.connection.note(kind, data)
