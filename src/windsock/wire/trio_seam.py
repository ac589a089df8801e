"""Where recording joins a trio server: its async handlers have streams, which are tapped in the sockets' place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from windsock.net.system import socket
from windsock.recording import Connection, Recorder
from windsock.recording.events import Kind
from windsock.security.facts import HandshakeFailed
from windsock.servers.requests import client_is_gone
from windsock.servers.trio_loop import lost_connection
from windsock.wire.seam import HOOKS, UNTAPPED, Seam, connection_of, noting_handshake, stand_ins
from windsock.wire.trio_tap import SocketTap, StreamTap

__all__ = ["TrioSeam"]


class TrioSeam(Seam):
    """Records one instance of a trio server.

    trio takes plain sockets only, so the request of an async handler stays as it was accepted.
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
        self._taps: dict[int, SocketTap | StreamTap] = {}

    def install(self) -> None:
        """Wrap the hooks that the server has."""
        super().install()
        if self._server.handles_async:
            vars(self._server).pop("request_class", None)

    def _tapped(self, request: Any, connection: Connection) -> Any:
        if type(request) is socket.socket and self._server.handles_async:
            UNTAPPED[request] = connection
            return request
        return super()._tapped(request, connection)

    async def _serve_request(self, request: Any, client_address: Any) -> None:
        connection = connection_of(request)
        try:
            await self._originals["serve_request"](request, client_address)
        except Exception as error:
            is_lost = isinstance(error, OSError) and client_is_gone(request, error)
            if not is_lost and not self._is_noted(connection, error):
                self._recorder.failed(connection, error)
            raise
        finally:
            if connection is not None and isinstance(request, tuple):
                connection.note(Kind.CLOSE)
            if (stream_tap := self._taps.pop(id(request), None)) is not None:
                stream_tap.uninstall()

    async def _serve_stream(self, stream: Any, request: Any, client_address: Any) -> None:
        """Note what the handler raises before anybody closes the stream on account of it."""
        try:
            await self._originals["serve_stream"](stream, request, client_address)
        except Exception as error:
            connection = connection_of(request)
            if connection is not None and not isinstance(error, HandshakeFailed) and lost_connection(error) is None:
                self._recorder.failed(connection, error)
            raise

    async def _make_stream(self, request: Any) -> Any:
        connection = connection_of(request)
        with noting_handshake(connection) as note:
            stream = await self._originals["make_stream"](request)
            note(getattr(stream, "handshake", None))
        if connection is not None:
            self._taps[id(request)] = stream_tap = _tap(stream, connection, request)
            stream_tap.install()
        return stream

    async def _start_tls_stream(self, stream: Any) -> Any:
        """Have the plaintext recorded from here on; of the handshake, what it came to."""
        key, connection = self._whose(stream)
        if connection is None:
            return await self._originals["start_tls_stream"](stream)
        with self._silence(key), noting_handshake(connection) as note:
            secured = await self._originals["start_tls_stream"](stream)
            note(secured.handshake)
            self._taps[key] = StreamTap(secured, connection)
        return secured

    async def _authenticate_stream(self, stream: Any) -> str:
        """Leave what both ends say to each other about their secret out of the recording."""
        key, _ = self._whose(stream)
        with self._silence(key):
            reason: str = await self._originals["authenticate_stream"](stream)
        return reason

    def _whose(self, stream: Any) -> tuple[int, Connection | None]:
        """Return the key of the tap on a stream, and the connection that it is of."""
        found = ((key, each.connection) for key, each in self._taps.items() if each.stream is stream)
        return next(found, (0, None))

    @contextlib.contextmanager
    def _silence(self, key: int) -> Iterator[None]:
        """Take a tap off, and put it, or the one that has taken its place, on at the end."""
        if key in self._taps:
            self._taps[key].uninstall()
        try:
            yield
        finally:
            if key in self._taps:
                self._taps[key].install()

    def _shutdown_request(self, request: Any) -> None:
        _note(request, Kind.HALF_CLOSE)
        self._originals["shutdown_request"](request)

    def _close_request(self, request: Any) -> None:
        _note(request, Kind.CLOSE)
        self._originals["close_request"](request)


def _tap(stream: Any, connection: Connection, request: Any) -> SocketTap | StreamTap:
    """Return a tap for a stream: on its socket, if it is a stream of that very socket."""
    is_plain = type(request) is socket.socket and getattr(stream, "socket", None) is not None
    return SocketTap(stream, connection, request) if is_plain else StreamTap(stream, connection)


def _note(request: Any, kind: int) -> None:
    """Note the end of a request that has no tap of its own, unless its handler has closed it."""
    if type(request) is socket.socket and request in UNTAPPED and request.fileno() >= 0:
        UNTAPPED[request].note(kind)
