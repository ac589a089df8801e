"""A connection of a fake that is handed on to another address: joined with it by a relay, and recorded."""

from __future__ import annotations

import contextlib
from typing import Any

from windsock.errors import PeerError
from windsock.net import addresses, sockets
from windsock.net.abort import kernel_socket
from windsock.net.event_loop import READABLE
from windsock.net.permission import check_allowed
from windsock.net.system import monotonic, os, socket
from windsock.net.targets import Target
from windsock.proxies.connect import ConnectAttempt
from windsock.proxies.recording_tap import ClientNotes, UpstreamNotes, reason
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.relay.connection import StreamRelay
from windsock.relay.loop import RelayLoop
from windsock.taps.requests import muted

__all__ = ["Forwarding"]

SECONDS_TO_END = 5.0
"""How long the relay's thread may take to end once the connection has."""


class Forwarding:
    """One connection handed on. The handler waits; a thread of its own relays, whatever the server's concurrency.

    `head` is sent to the target before anything else. `stop` is a descriptor that becomes readable when the server
    stops.
    """

    def __init__(self, request: Any, target: Target, head: bytes, connection: Connection | None, stop: int) -> None:
        self._request = request
        self._target = target
        self._where = addresses.show(target.address)
        self._head = head
        self._connection = connection
        self._stop = stop
        self._error: BaseException | None = None
        self._is_stopped = False
        self._waiting, self._over = socket.socketpair()
        self._twin = _twin_of(kernel_socket(request))
        self._loop = RelayLoop(f"windsock forward to {self._where}", self._failed)

    def run(self, deadline: float) -> None:
        """Connect before the deadline, and relay until both ends have ended, or the server stops. Raises PeerError."""
        check_allowed("forward()", self._target.family)
        over = self._for_this_thread(self._waiting)
        try:
            with muted(self._request):
                self._loop.event_loop.call(lambda: self._connect(deadline - monotonic()))
                self._loop.start()
                over.recv(1)
        finally:
            self._loop.stop(SECONDS_TO_END)
            for each in (over, self._over, self._twin):
                each.close()
        if self._error is not None:
            raise self._error

    def _for_this_thread(self, sock: socket.socket) -> socket.socket:
        """Return the socket as one that blocks only this greenlet, if the request's does."""
        hub = getattr(kernel_socket(self._request), "selecting_hub", None)
        if hub is None:
            return sock
        from windsock.servers.selecting.green_socket import green

        return green(sock, hub)

    # --- in the relay's thread

    def _connect(self, seconds: float) -> None:
        self._loop.event_loop.watch(self._stop, READABLE, self._stopped)
        ConnectAttempt(
            self._loop,
            self._target,
            seconds,
            on_done=self._connected,
            on_lack=self._failed,
            others=[self._twin],
        ).start()

    def _connected(self, upstream: socket.socket | None, error: OSError | None) -> None:
        if upstream is None:
            why = "" if error is None else f": {reason(error)}"
            self._failed(PeerError(f"no connection to {self._where}{why}"))
            return
        sockets.prepare(upstream)
        sockets.prepare(self._twin)
        if self._connection is not None:
            self._connection.onward_address = addresses.plain(upstream.getsockname())
            self._note(f"forwarded to {self._where}")
        relay = self._relay(upstream)
        relay.upstream.error = error
        self._loop.add(relay)
        if self._head:
            relay.up.write(memoryview(self._head))
        relay.start()

    def _relay(self, upstream: socket.socket) -> StreamRelay:
        connection = self._connection
        return StreamRelay(
            self._loop.event_loop,
            self._loop.scratch,
            self._client_end(),
            upstream,
            client_notes=None if connection is None else ClientNotes(connection),
            upstream_notes=None if connection is None else UpstreamNotes(connection),
            on_end=self._ended,
            on_error=self._failed,
            on_note=self._note,
        )

    def _client_end(self) -> Any:
        if not hasattr(self._request, "pending"):
            return self._twin
        from windsock.relay.tls_line import TLSLine

        return TLSLine(self._request, self._twin)

    def _note(self, words: str) -> None:
        if self._connection is not None:
            self._connection.note(Kind.NOTE, words.encode())

    def _stopped(self, events: int) -> None:  # noqa: ARG002  # it is readable
        self._is_stopped = True
        self._loop.event_loop.forget(self._stop)
        self._loop.end_streams()
        self._wake()

    def _ended(self, relay: StreamRelay) -> None:
        self._loop.remove(relay)
        self._wake()

    def _failed(self, error: BaseException) -> None:
        if self._error is None and not self._is_stopped:
            self._error = error
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._over.shutdown(socket.SHUT_RDWR)


def _twin_of(sock: Any) -> socket.socket:
    """Return a plain socket over a copy of the descriptor: the request stays its server's to close."""
    return socket.socket(sock.family, sock.type, sock.proto, fileno=os.dup(sock.fileno()))
