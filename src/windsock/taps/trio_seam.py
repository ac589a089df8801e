"""The seam of a trio server: async handlers have streams, which get the taps instead of their sockets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from windsock.net.pushback import held_by_stream
from windsock.net.system import socket
from windsock.recording import Connection, HandlerFailed, Recorder
from windsock.recording.events import Kind
from windsock.security.handshake_info import HandshakeFailed
from windsock.servers.trio.loop import lost_connection
from windsock.taps.hooks import HOOKS, stand_ins
from windsock.taps.notes import mark_lost, unread_at_end
from windsock.taps.requests import UNTAPPED, connection_of, meant, noting_handshake
from windsock.taps.seam import Seam
from windsock.taps.trio_socket_tap import SocketTap
from windsock.taps.trio_tap import StreamTap

__all__ = ["TrioSeam"]


class TrioSeam(Seam):
    """Records one instance of a trio server.

    trio accepts only plain sockets, so the request of an async handler stays as it was accepted.
    """

    hooks = HOOKS | stand_ins(
        "serve_request",
        "make_stream",
        "serve_stream",
        "start_tls_stream",
        "authenticate_stream",
        "shutdown_request",
        "close_request",
    )

    def __init__(self, server: Any, recorder: Recorder) -> None:
        super().__init__(server, recorder)
        self._taps: dict[Any, SocketTap | StreamTap] = {}
        self._ending: set[Connection] = set()
        """The requests whose end of the stream is being sent."""

    def install(self) -> None:
        """Wrap the hooks that the server has."""
        super().install()
        if self._server.handles_async:
            vars(self._server).pop("request_class", None)

    def tapped(self, request: Any, connection: Connection) -> Any:
        """Return a request with a tap; unchanged for an async handler, as its stream gets the tap."""
        if type(request) is socket.socket and self._server.handles_async:
            UNTAPPED[request] = connection
            return request
        return super().tapped(request, connection)

    async def _serve_request(self, request: Any, client_address: Any) -> None:
        connection = connection_of(request)
        try:
            await self._originals["serve_request"](request, client_address)
        except BaseException as error:
            self._record_of_task(request, error)
            raise
        finally:
            if connection is not None and isinstance(request, tuple):
                connection.note(Kind.CLOSE)
            if (stream_tap := self._taps.pop(request, None)) is not None:
                stream_tap.uninstall()

    async def _serve_stream(self, stream: Any, request: Any, client_address: Any) -> None:
        """Record the handler's exception before the stream is closed because of it."""
        try:
            await self._originals["serve_stream"](stream, request, client_address)
        except HandshakeFailed:
            raise
        except BaseException as error:
            if lost_connection(error) is None:
                self._record_of_task(request, error)
            raise

    def _record_of_task(self, request: Any, error: BaseException) -> None:
        """Record the exception that ended a task, except its own cancellation; see `_record`."""
        cancelled, own = _split(error)
        if cancelled is None:
            self._record(request, meant(error))
        elif own is not None and not isinstance(own, Exception):
            try:
                self._record(request, own)
            except HandlerFailed as stand_in:
                raise BaseExceptionGroup("of a task that was cancelled", [cancelled, stand_in]) from error

    async def _make_stream(self, request: Any) -> Any:
        connection = connection_of(request)
        with noting_handshake(connection) as note:
            stream = await self._originals["make_stream"](request)
            note(getattr(stream, "handshake", None))
        if connection is not None:
            self._taps[request] = stream_tap = self._tap(stream, connection, request)
            stream_tap.install()
        return stream

    async def _start_tls_stream(self, stream: Any) -> Any:
        """Record the plaintext from here on, and the result of the handshake."""
        found = self._tap_of(stream)
        if found is None:
            return await self._originals["start_tls_stream"](stream)
        found.connection.retract_up(len(held_by_stream(stream)))
        with self._silence(found), noting_handshake(found.connection) as note:
            secured = await self._originals["start_tls_stream"](stream)
            note(secured.handshake)
            self._taps[found.request] = self._tap(secured, found.connection, found.request)
        return secured

    async def _authenticate_stream(self, stream: Any) -> str:
        """Keep the messages about the secret out of the recording."""
        with self._silence(self._tap_of(stream)):
            reason: str = await self._originals["authenticate_stream"](stream)
        return reason

    def _tap_of(self, stream: Any) -> SocketTap | StreamTap | None:
        return next((each for each in self._taps.values() if each.stream is stream), None)

    @contextlib.contextmanager
    def _silence(self, tap: SocketTap | StreamTap | None) -> Iterator[None]:
        """Remove a tap during the block; afterwards, restore it or the one that has replaced it."""
        if tap is None:
            yield
            return
        tap.uninstall()
        try:
            yield
        except Exception as error:
            lost = lost_connection(error)
            if lost is not None:
                mark_lost(lost, tap.connection)
            raise
        finally:
            self._taps[tap.request].install()

    def _tap(self, stream: Any, connection: Connection, request: Any) -> SocketTap | StreamTap:
        """Return a tap for a stream: on its socket, if the stream uses that socket directly."""
        is_plain = type(request) is socket.socket and getattr(stream, "socket", None) is not None
        if is_plain:
            return SocketTap(stream, connection, request)
        return StreamTap(stream, connection, request, self._on_clear)

    def _on_clear(self, secured: StreamTap, stream: Any) -> None:
        """Record the stream below one whose TLS has ended."""
        secured.uninstall()
        self._taps[secured.request] = below = self._tap(stream, secured.connection, secured.request)
        below.install()

    def _shutdown_request(self, request: Any) -> None:
        connection = _open_connection(request)
        if connection is not None:
            connection.begin(Kind.HALF_CLOSE)
            self._ending.add(connection)
        try:
            self._originals["shutdown_request"](request)
        finally:
            self._note_half_close(connection)

    def _close_request(self, request: Any) -> None:
        connection = _open_connection(request)
        if connection is None:
            self._originals["close_request"](request)
            return
        self._note_half_close(connection)  # `shutdown_request()` has sent it
        with connection.noted_after(Kind.CLOSE, unread_at_end(connection, request)):
            self._originals["close_request"](request)

    def _note_half_close(self, connection: Connection | None) -> None:
        if connection is not None and connection in self._ending:
            self._ending.discard(connection)
            connection.note(Kind.HALF_CLOSE)


def _split(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """Split an exception into trio's cancellation and the task's own exceptions."""
    import trio

    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)
    return (error, None) if isinstance(error, trio.Cancelled) else (None, error)


def _open_connection(request: Any) -> Connection | None:
    """Return the connection of a request without a tap of its own, unless its handler has closed it."""
    is_untapped = type(request) is socket.socket and request in UNTAPPED and request.fileno() >= 0
    return UNTAPPED[request] if is_untapped else None
