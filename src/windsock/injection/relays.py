"""Relayed connections of one stream server: the sockets that its handlers get instead of the accepted ones."""

from __future__ import annotations

from functools import partial
from typing import Any

from windsock.errors import UsageError
from windsock.faults import FaultSet
from windsock.injection.socket_pairs import PEER_CREDENTIALS, RelayedSocket
from windsock.injection.stream_relays import StreamRelays
from windsock.net.system import socket
from windsock.recording import Connection, Recorder
from windsock.recording.events import Kind
from windsock.taps.hooks import put_back

__all__ = ["Relays"]


class Relays:
    """The relays between the clients of one server and its handlers, for every concurrency."""

    def __init__(self, server: Any, fault_set: FaultSet, recorder: Recorder, name: str) -> None:
        self._server = server
        self._recorder = recorder
        tell = partial(recorder.teller(), None)
        self._relay_loop = StreamRelays(fault_set, name=name, on_error=tell)
        self.indices: set[int] = set()
        """The connections that were relayed; what faults do to them is noted by the relay."""
        self._names: dict[socket.socket, RelayedSocket] = {}
        self._make_stream = getattr(server, "make_stream", None)
        if self._make_stream is not None:
            server.make_stream = self._make_named_stream
        self._peer_credentials = getattr(server, "peer_credentials", None)
        if self._make_stream is not None and self._peer_credentials is not None:
            server.peer_credentials = self._credentials_of_client

    def passed_over(self) -> tuple[int, ...]:
        """Return the connections that are open and not relayed, on which faults of streams cannot act."""
        connections = list(self._recorder.connections)
        return tuple(each.index for each in connections if not each.is_closed and each.index not in self.indices)

    def relay(self, request: Any, connection: Connection) -> Any:
        """Take an accepted connection over; return what its handler gets: a socket of the kind that it would have got.

        Raises UsageError for a socket of a class that has more to it than the descriptor.
        """
        if hasattr(request, "_sslobj"):
            raise UsageError(
                f"a {type(request).__name__} can't be relayed: the server's class has begun TLS by itself; expected a "
                "plain socket from get_request(); use fault_proxy(server.address), or tls= in its place"
            )
        hub = getattr(request, "selecting_hub", None)
        timeout = request.gettimeout()
        try:
            peer = request.getpeername()
        except OSError:  # the client is gone already
            peer = connection.peer
        plain = socket.socket(request.family, request.type, request.proto, fileno=request.detach())
        plain.settimeout(timeout)
        self.indices.add(connection.index)
        try:
            relayed = self._relay_loop.relay(plain, peer, index=connection.index, connection=connection)
        except BaseException:
            connection.note(Kind.CLOSE)
            raise
        if hub is not None:
            return self._green(relayed, hub)
        if getattr(self._server, "handles_async", False):
            return self._for_trio(relayed)
        return relayed

    def _green(self, relayed: RelayedSocket, hub: Any) -> Any:
        """Return the same for a selecting server: it never blocks the loop."""
        timeout = relayed.gettimeout()
        green: Any = _green_class()(relayed.family, relayed.type, relayed.proto, fileno=relayed.detach())
        relayed.copy_names(green)
        hub.accepted = green.belong_to(hub, timeout)
        return green

    def _for_trio(self, relayed: RelayedSocket) -> socket.socket:
        """Return the same for a task: trio takes plain sockets only, and the stream gets the names."""
        plain = socket.socket(relayed.family, relayed.type, relayed.proto, fileno=relayed.detach())
        self._names[plain] = relayed
        return plain

    async def _make_named_stream(self, request: Any) -> Any:
        stream = await self._make_stream(request)  # type: ignore[misc]  # it is there, or this would not be called
        relayed = self._names.pop(request, None)
        if relayed is not None:
            below = getattr(stream, "transport_stream", stream).socket
            below.getpeername = lambda: relayed.peer_name
            below.getsockname = lambda: relayed.own_name
            getsockopt = below.getsockopt
            below.getsockopt = lambda *what: relayed.shown_option(*what) or getsockopt(*what)
        return stream

    def drain(self, seconds: float) -> None:
        """Wait until handlers can read what their clients have sent, as far as it arrives within `seconds`."""
        self._relay_loop.drain(seconds)

    def _credentials_of_client(self, request: Any) -> Any:
        """See PeerCredentialsMixIn.peer_credentials; trio's plain socket does not know them, its replacement does."""
        relayed = self._names.get(request)
        shows_client = relayed is not None and relayed.shown_option(*PEER_CREDENTIALS, 0) is not None
        return self._peer_credentials(relayed if shows_client else request)  # type: ignore[misc]  # it is there

    def stop(self, seconds: float) -> None:
        """End all connections. Raises StillRunning."""
        self._relay_loop.stop(seconds)
        if self._make_stream is not None:
            put_back(self._server, "make_stream", self._make_stream)
            if self._peer_credentials is not None:
                put_back(self._server, "peer_credentials", self._peer_credentials)


_classes: dict[str, Any] = {}


def _green_class() -> Any:
    """Return the class of green sockets with the client's addresses; greenlet is imported on first use."""
    if "green" not in _classes:
        from windsock.servers.selecting.green_socket import GreenSocket

        _classes["green"] = type("RelayedGreenSocket", (RelayedSocket, GreenSocket), {"__module__": __name__})
    return _classes["green"]
