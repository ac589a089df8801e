"""The datagram side of a proxy: each client has its own socket towards the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from windsock.net import addresses, sockets
from windsock.net.ancillary import CameWith, ask_for_credentials, send_with
from windsock.net.event_loop import READABLE
from windsock.net.system import monotonic, socket
from windsock.net.targets import Target
from windsock.proxies.recording_tap import reason
from windsock.recording import Connection, Recorder
from windsock.recording.events import Kind
from windsock.relay.datagram_sockets import BATCH, ONCE_MORE, make_room, receive, upstream_socket
from windsock.relay.datagrams import DatagramRelay
from windsock.relay.firings import Firings
from windsock.relay.loop import RelayLoop

if TYPE_CHECKING:
    from windsock.faults import FaultSet
    from windsock.faults.items import Attachment

__all__ = ["DatagramFront"]


class DatagramFront:
    """Takes datagrams from a socket. Lives in its house's thread.

    For faults a connection is a client: its index is the order in which clients first appeared. In the recording it
    is a datagram with the replies that came before the client's next one.
    """

    def __init__(
        self,
        relay_loop: RelayLoop,
        listener: socket.socket,
        upstream: Target,
        fault_set: FaultSet,
        recorder: Recorder | None,
        firings: Firings,
        *,
        on_error: Callable[[Connection | None, BaseException], object],
    ) -> None:
        self._relay_loop = relay_loop
        self._listener = listener
        self._upstream = upstream
        self._fault_set = fault_set
        self._recorder = recorder
        self._firings = firings
        self._on_error = on_error
        self._clients: dict[Any, DatagramRelay] = {}
        self._earlier: dict[Any, DatagramRelay] = {}
        """Those of the part before, which may still be answered."""
        self.clients_by_name: dict[Any, Any] = {}
        """The clients' addresses, by the names that the server knows them by."""
        self.names_by_client: dict[Any, Any] = {}
        """The other way round."""
        self._is_watching = False
        self._is_closed = False
        if upstream.is_unix:
            make_room(listener)
            ask_for_credentials(listener)

    def start(self) -> None:
        """Begin."""
        self._relay_loop.add(self)
        self.open()

    def open(self) -> None:
        """Take datagrams (again)."""
        self._watch()

    def shut(self) -> None:
        """Nothing: a cut line takes datagrams, and loses them."""

    def apply_faults(self) -> None:
        """Have faults that have come or gone applied. From any thread."""
        self._relay_loop.refresh()

    def refresh(self, now: float) -> None:
        """Do nothing: each client notes it."""

    def delivers_by(self, time: float) -> bool:  # noqa: ARG002  # what all members are asked
        """Return whether datagrams wait here until there is room behind."""
        return not (self._is_watching or self._is_closed)

    def begin_part(self) -> None:
        """Number the clients from 0 again. Those that there are can be answered until the next part."""
        for peer, relay in self._earlier.items():
            relay.finish()
            self._relay_loop.remove(relay)
            self._forget(relay, peer)
        self._earlier, self._clients = self._clients, {}

    def _forget(self, relay: DatagramRelay, peer: Any) -> None:
        names = [addresses.plain(each) for each in relay.names]
        for name in names:
            self.clients_by_name.pop(name, None)
        for client in (peer, *names):
            if self.names_by_client.get(client) in names:
                del self.names_by_client[client]

    def finish(self) -> None:
        """Close."""
        self._unwatch()
        self._is_closed = True
        sockets.refuse(self._listener)
        self._listener.close()
        self._clients.clear()  # they refer to this front
        self._earlier.clear()

    def sockets(self) -> Iterable[Any]:
        """Return the sockets that a forked child must close."""
        return [self._listener]

    def _watch(self) -> None:
        if not self._is_watching and not self._is_closed:
            self._relay_loop.event_loop.watch(self._listener.fileno(), READABLE, self._receive)
            self._is_watching = True

    def _unwatch(self) -> None:
        if self._is_watching:
            self._relay_loop.event_loop.forget(self._listener.fileno())
            self._is_watching = False

    def _receive(self, events: int) -> None:  # noqa: ARG002  # it is readable
        for _ in range(BATCH):
            try:
                data, came, peer = receive(self._listener, is_unix=self._upstream.is_unix)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # the error of a reply to another client
            if not self._take(data, came, addresses.plain(peer)):
                self._unwatch()  # there is no room behind us, so there is none here
                self._relay_loop.event_loop.later(ONCE_MORE, self._watch)
                return

    def _take(self, data: bytes, came: CameWith | None, peer: Any) -> bool:
        """Carry one datagram; return whether its way has room for more."""
        relay = self._clients.get(peer)
        if relay is None:
            try:
                relay = self._meet(peer)
            except OSError as error:
                self._refuse(data, peer, error)
                return True
        relay.take(data, came)
        return relay.up.is_open()

    def _refuse(self, data: bytes, peer: Any, error: OSError) -> None:
        """There can be no socket for this client: the datagram is lost."""
        connection = None
        if self._recorder is not None:
            connection = self._recorder.open(peer)
            connection.is_datagram = True
            connection.note(Kind.UP, data)
            connection.note(Kind.REFUSED, reason(error).encode())
            connection.note(Kind.CLOSE)
        if not isinstance(error, ConnectionRefusedError | FileNotFoundError):
            self._on_error(connection, error)

    def _meet(self, peer: Any) -> DatagramRelay:
        index = len(self._clients)
        upward, downward = self._fault_set.links(connection=index, now=monotonic(), peer=peer)
        make = partial(upstream_socket, self._upstream.family, self._upstream.address)
        recorder = self._recorder
        notes = _DatagramNotes(recorder, self._firings, index, peer) if recorder is not None else None
        try:
            relay = DatagramRelay(
                self._relay_loop.event_loop,
                make,
                partial(self._answer, peer),
                upward=upward,
                downward=downward,
                notes=notes,
                on_look=self._firings.look,
                on_change=lambda: self._learn(relay, peer, notes),
                on_error=partial(self._on_error, None),
            )
        except BaseException:
            for chain in (upward, downward):
                chain.close(monotonic())
            raise
        self._clients[peer] = relay
        self._learn(relay, peer, notes)
        self._relay_loop.add(relay)
        relay.start()
        return relay

    def _learn(self, relay: DatagramRelay, peer: Any, notes: _DatagramNotes | None) -> None:
        """Remember by which name the server knows a client. One that was bound anew is another client to it."""
        name = addresses.plain(relay.names[-1])
        if notes is not None:
            notes.onward_address = name
        is_new = len(relay.names) > 1
        self.clients_by_name[name] = name if is_new else peer
        self.names_by_client[name if is_new else peer] = name

    def _answer(self, peer: Any, data: bytes, attached: Attachment | None) -> None:
        if peer is not None:  # a Unix client without a name cannot be answered
            relay = self._clients.get(peer) or self._earlier[peer]
            send_with(self._listener, data, attached, relay.senders.get("server"), relay.cannot, peer)


class _DatagramNotes:
    """Writes each datagram of one client down as a connection, with the replies that come before the next one."""

    def __init__(self, recorder: Recorder, firings: Firings, index: int, peer: Any) -> None:
        self._recorder = recorder
        self._firings = firings
        self._index = index
        self._peer = peer
        self._latest: Connection | None = None
        self.onward_address: Any = None
        """The name by which the server knows the client from now on."""

    def sent(self, data: bytes) -> None:
        """The client has sent that."""
        if self._latest is not None:
            self._latest.note(Kind.CLOSE)
        self._latest = self._recorder.open(self._peer)
        self._latest.is_datagram = True
        self._latest.onward_address = self.onward_address
        self._firings.follow(self._index, self._latest)
        self._latest.note(Kind.UP, data)

    def answered(self, data: bytes) -> None:
        """The server has sent that."""
        if self._latest is not None:
            self._latest.note(Kind.DOWN, data)

    def beside(self, words: str) -> None:
        """Something came beside the latest datagram, or could not be passed on."""
        if self._latest is not None:
            self._latest.note(Kind.NOTE, words.encode())

    def refused(self, error: OSError) -> None:
        """No datagrams are taken there."""
        if self._latest is not None:
            self._latest.note(Kind.SERVER_RESET, reason(error).encode())
