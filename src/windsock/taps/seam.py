"""The seam, where recording joins a server: around `get_request`, before any handler runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from windsock.net import addresses
from windsock.net.ancillary import in_words
from windsock.net.processes import has_ended
from windsock.net.pushback import held_by
from windsock.net.records import SEQPACKET
from windsock.net.system import os, socket
from windsock.net.virtual import WorldOver
from windsock.recording import Connection, HandlerFailed, Recorder, TruncatedDatagram
from windsock.recording.events import Kind
from windsock.servers import SelectingMixIn
from windsock.servers.transports import TCPServer
from windsock.taps import current_handlers
from windsock.taps.datagram_tap import DatagramTap
from windsock.taps.hooks import HOOKS, hooks_of_its_own, is_default, put_back
from windsock.taps.record_tap import RecordTap
from windsock.taps.requests import (
    connection_of,
    meant,
    muted,
    noting_handshake,
    says_client_is_gone,
    tap,
    tapped_socket,
)
from windsock.taps.stream_tap import Tap
from windsock.taps.unread import Unread

__all__ = ["Seam"]


class Seam:
    """Records one server instance. Its class stays unchanged: hooks are wrapped on the instance."""

    hooks: dict[str, str] = HOOKS

    def __init__(self, server: Any, recorder: Recorder) -> None:
        self._server = server
        self._recorder = recorder
        self._process_id = os.getpid()
        self._tap_class: type[Tap] = RecordTap if getattr(server, "socket_type", None) == SEQPACKET else Tap
        self._truncated: int | None = None
        self._descriptors = 0
        self._originals: dict[str, Callable[..., Any]] = {}
        self._guards: dict[str, Callable[..., Any]] = {}
        self._accepted: Callable[[Any, Connection], Any] | None = None
        self._unread = Unread(server)
        self.is_taking: bool = False
        """Whether a request is being taken out of the queue now."""
        self.begin_in_child: Callable[[Any, Connection], None] | None = None
        """Called in a forked child before it handles a request."""

    def install(self) -> None:
        """Wrap the hooks that the server has."""
        for name in hooks_of_its_own(type(self._server)):
            self._guards[name] = hook = getattr(self._server, name)
            setattr(self._server, name, partial(self._guarded, hook))
        for name, stand_in in self.hooks.items():
            original = getattr(self._server, name, None)
            if original is not None:
                self._originals[name] = original
                setattr(self._server, name, getattr(self, stand_in))
        if getattr(type(self._server), "get_request", None) is TCPServer.get_request:
            made = tapped_socket(self._tap_class)
            self._server.request_class = made  # created with a tap, rather than replaced later

    def uninstall(self) -> None:
        """Restore the server's own hooks."""
        vars(self._server).pop("request_class", None)
        for name, original in (self._originals | self._guards).items():
            put_back(self._server, name, original)
        self._unread.close()

    def intercept(self, hook: str, stand_in: Callable[..., Any]) -> Callable[..., Any]:
        """Call the stand-in instead of the server's own hook, so that what it does is recorded.

        `hook`: "get_request", "start_tls", and on trio servers "serve_stream" and "serve_request". Returns the previous
        hook, for the stand-in to call, and to restore by another `intercept()`.
        """
        before = self._originals[hook]
        self._originals[hook] = stand_in
        return before

    def intercept_accepted(self, stand_in: Callable[[Any, Connection], Any] | None) -> None:
        """Call the stand-in with each accepted stream request and its connection; it returns the request to handle.

        The stand-in calls `tapped()` to add the tap. None: the seam does that itself again.
        """
        self._accepted = stand_in

    def is_pending(self, connection: Connection, time: float) -> bool:
        """Return whether, by `time`, the handler of a connection has data to read or its client's end to see.

        For a datagram, return whether its handler has not ended. A handler's process that has ended before its handler
        is to be noticed.
        """
        if connection.is_released or connection.is_handled or connection.rests_until > time:
            return False
        if connection.is_datagram or self._unread.is_there(connection):
            return True
        return connection.pid is not None and not connection.has_exited and has_ended(connection.pid) is not False

    def _get_request(self) -> tuple[Any, Any]:
        self.is_taking = True
        try:
            return self._next_request()
        except BaseException as error:
            self._stand_in_for(error)  # for `handle_error`, which records it
            raise
        finally:
            self.is_taking = False
            if self._recorder.waiters:
                self._recorder.wake()

    def _next_request(self) -> tuple[Any, Any]:
        self._truncated = None
        self._descriptors = 0
        request, client_address = self._originals["get_request"]()
        peer = addresses.plain(client_address)
        if isinstance(request, tuple) and len(request) == 2 and isinstance(request[0], bytes):
            return self._datagram(request, peer), client_address
        if isinstance(request, socket.socket) and request is not getattr(self._server, "socket", None):
            connection = self._recorder.open(peer)
            request = (self._accepted or self.tapped)(request, connection)
            self._unread.watch(connection, request)
        return request, client_address

    def tapped(self, request: Any, connection: Connection) -> Any:
        """Return an accepted stream request with a tap."""
        return tap(request, connection, self._tap_class)

    def _datagram(self, request: tuple[bytes, Any], peer: Any) -> tuple[bytes, Any]:
        data, server_socket = request
        connection = self._recorder.open(peer)
        connection.is_datagram = True
        if self._truncated is not None:
            connection.truncated_from = self._truncated
            limit = getattr(self._server, "max_packet_size", len(data))
            self._recorder.failed(connection, TruncatedDatagram(self._truncated, limit))
        if self._descriptors:
            connection.note(Kind.NOTE, f"{in_words(self._descriptors)} with the datagram".encode())
        connection.note(Kind.UP, data)
        return data, DatagramTap(server_socket, connection)

    def _verify_request(self, request: Any, client_address: Any) -> bool:
        is_welcome: bool = self._originals["verify_request"](request, client_address)
        if not is_welcome:
            self._note_end_of_datagram(request)
        return is_welcome

    def _note_end_of_datagram(self, request: Any) -> None:
        """Record that a datagram was handled. For streams, the close is recorded."""
        connection = connection_of(request)
        if connection is not None and isinstance(request, tuple) and not connection.is_closed:
            connection.note(Kind.CLOSE)

    def _finish_request(self, request: Any, client_address: Any) -> None:
        connection = connection_of(request)
        if connection is not None and os.getpid() != self._process_id:
            self._unread.close()
            if self.begin_in_child is not None:
                self.begin_in_child(request, connection)
            connection.note(Kind.TAKEN, b"%d" % os.getpid())
        token = current_handlers.begin(self._server)
        try:
            self._originals["finish_request"](request, client_address)
        except BaseException as error:
            self._record(request, error)
            raise
        finally:
            current_handlers.end(token)
            if connection is not None:
                connection.is_handled = True
            self._note_end_of_datagram(request)

    def _guarded(self, hook: Callable[..., Any], request: Any, *args: Any) -> Any:
        """Call a hook of the server's class, and record its exceptions."""
        try:
            return hook(request, *args)
        except BaseException as error:
            self._record(request, error)
            raise

    def _record(self, request: Any, error: BaseException) -> None:
        """Record an exception of a request.

        An exception that would end the server is replaced by HandlerFailed, which ends only this request. SystemExit
        ends a child, with its status.
        """
        if self._is_of_machinery(error):
            return
        connection = connection_of(request)
        if not says_client_is_gone(request, error) and not self._is_noted(connection, error):
            self._recorder.failed(connection, error)
        if not (self._recorder.is_child and isinstance(error, SystemExit)):
            self._stand_in_for(error)

    def _stand_in_for(self, error: BaseException) -> None:
        """Raise HandlerFailed in place of an exception that would end a serve loop."""
        if not isinstance(error, Exception) and not self._is_of_machinery(error):
            raise HandlerFailed(repr(error)) from error

    def _is_of_machinery(self, error: BaseException) -> bool:
        """Return whether the exception is the server's own way of ending a request, or the end of a world."""
        greenlet = sys.modules.get("greenlet")
        return isinstance(error, WorldOver) or (
            greenlet is not None
            and isinstance(error, greenlet.GreenletExit)
            and isinstance(self._server, SelectingMixIn)
        )

    def _start_tls(self, request: Any) -> Any:
        """Record the plaintext from here on, and the result of the handshake."""
        connection = connection_of(request)
        if connection is None:
            return self._originals["start_tls"](request)
        connection.retract_up(len(held_by(request)))
        with muted(request), noting_handshake(connection) as note:
            secured = self._originals["start_tls"](request)
            note(secured.handshake)
        if isinstance(request, Tap):
            request.mute()  # the plaintext has a tap of its own
        return tap(secured, connection)

    def _authenticate(self, request: Any) -> str:
        """Keep the messages about the secret out of the recording."""
        with muted(request):
            reason: str = self._originals["authenticate"](request)
        return reason

    def _handle_refused(self, request: Any, client_address: Any, reason: str) -> None:
        connection = connection_of(request)
        if connection is not None:
            connection.note(Kind.REFUSED, reason.encode())
            self._note_end_of_datagram(request)
        self._originals["handle_refused"](request, client_address, reason)

    def _handle_error(self, request: Any, client_address: Any) -> None:
        """Record errors from around the handler, whose own were recorded before; then call the user's own hook."""
        raised = sys.exception()
        error = None if raised is None else meant(raised)
        connection = connection_of(request)
        is_gone = error is not None and says_client_is_gone(request, error)
        if error is not None and not is_gone and not self._is_noted(connection, error):
            self._recorder.failed(connection, error)
        self._note_end_of_datagram(request)
        if is_gone:
            return  # a class without a hook of its own for this
        if not is_default(self._originals["handle_error"]):
            try:
                self._originals["handle_error"](request, client_address)
            except BaseException as second:
                self._recorder.failed(connection, second)
                self._stand_in_for(second)
                raise

    def _is_noted(self, connection: Connection | None, error: BaseException) -> bool:
        return connection is not None and connection.has_noted(error)

    def _handle_accept_error(self, error: OSError) -> None:
        self._recorder.failed(None, error)
        if not is_default(self._originals["handle_accept_error"]):
            self._originals["handle_accept_error"](error)

    def _handle_truncated(self, data: bytes, size: int, client_address: Any) -> None:
        self._truncated = size
        if not is_default(self._originals["handle_truncated"]):
            self._originals["handle_truncated"](data, size, client_address)

    def _handle_descriptors(self, descriptors: list[int], data: bytes, client_address: Any) -> None:
        self._descriptors = len(descriptors)
        self._originals["handle_descriptors"](descriptors, data, client_address)

    def _child_exited(self, pid: int, exit_code: int) -> None:
        self._originals["child_exited"](pid, exit_code)
        self._recorder.child_exited(pid, exit_code)
        self._unread.forget_closed()
