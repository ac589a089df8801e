"""Where recording joins a server: around the request that `get_request` returned, before any handler runs."""

from __future__ import annotations

import contextlib
import pickle
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from windsock import addresses
from windsock.net.system import os, socket
from windsock.recording import Connection, Recorder, TruncatedDatagram
from windsock.recording.events import Kind
from windsock.security.facts import HandshakeFailed
from windsock.servers.requests import client_is_gone
from windsock.servers.transports import TCPServer
from windsock.wire.datagram_tap import DatagramTap
from windsock.wire.tap import Tap, TappedSocket, mute, tap, unmute

__all__ = ["Seam"]


def stand_ins(*hooks: str) -> dict[str, str]:
    """Return the name of the method that stands in for each hook: to make it for each server anew takes time."""
    return {hook: sys.intern(f"_{hook}") for hook in hooks}


HOOKS = stand_ins(
    "get_request",
    "start_tls",
    "authenticate",
    "finish_request",
    "handle_refused",
    "handle_error",
    "handle_disconnect",
    "handle_accept_error",
    "handle_truncated",
    "child_exited",
)

UNTAPPED: weakref.WeakKeyDictionary[socket.socket, Connection] = weakref.WeakKeyDictionary()
"""Requests whose traffic is noted elsewhere than on the socket itself."""


class Seam:
    """Records one server instance. Its class stays as it is: hooks are wrapped on the instance."""

    hooks: dict[str, str] = HOOKS

    def __init__(self, server: Any, recorder: Recorder) -> None:
        self._server = server
        self._recorder = recorder
        self._process_id = os.getpid()
        self._truncated: int | None = None
        self._originals: dict[str, Callable[..., Any]] = {}

    def install(self) -> None:
        """Wrap the hooks that the server has."""
        for name, stand_in in self.hooks.items():
            original = getattr(self._server, name, None)
            if original is not None:
                self._originals[name] = original
                setattr(self._server, name, getattr(self, stand_in))
        if getattr(type(self._server), "get_request", None) is TCPServer.get_request:
            self._server.request_class = TappedSocket  # made with a tap, rather than made again

    def uninstall(self) -> None:
        """Give the server its own hooks back."""
        vars(self._server).pop("request_class", None)
        for name, original in self._originals.items():
            put_back(self._server, name, original)

    def _get_request(self) -> tuple[Any, Any]:
        self._truncated = None
        request, client_address = self._originals["get_request"]()
        peer = addresses.plain(client_address)
        if isinstance(request, tuple) and len(request) == 2 and isinstance(request[0], bytes):
            return self._datagram(request, peer), client_address
        if isinstance(request, socket.socket) and request is not getattr(self._server, "socket", None):
            return self._tapped(request, self._recorder.open(peer)), client_address
        return request, client_address

    def _tapped(self, request: Any, connection: Connection) -> Any:
        return tap(request, connection)

    def _datagram(self, request: tuple[bytes, Any], peer: Any) -> tuple[bytes, Any]:
        data, server_socket = request
        connection = self._recorder.open(peer)
        connection.is_datagram = True
        if self._truncated is not None:
            connection.truncated_from = self._truncated
            limit = getattr(self._server, "max_packet_size", len(data))
            self._recorder.failed(connection, TruncatedDatagram(self._truncated, limit))
        connection.note(Kind.UP, data)
        return data, DatagramTap(server_socket, connection)

    def _finish_request(self, request: Any, client_address: Any) -> None:
        connection = connection_of(request)
        if connection is not None and os.getpid() != self._process_id:
            self._recorder.taken_by_child(connection)
        try:
            self._originals["finish_request"](request, client_address)
        except Exception as error:
            if not (isinstance(error, OSError) and client_is_gone(request, error)):
                self._recorder.failed(connection, error)
            raise
        finally:
            if connection is not None and isinstance(request, tuple):
                connection.note(Kind.CLOSE)

    def _start_tls(self, request: Any) -> Any:
        """Have the plaintext recorded from here on; of the handshake, what it came to."""
        connection = connection_of(request)
        if connection is None:
            return self._originals["start_tls"](request)
        mute(request)
        try:
            with noting_handshake(connection) as note:
                secured = self._originals["start_tls"](request)
                note(secured.handshake)
        except BaseException:
            unmute(request)
            raise
        return tap(secured, connection)

    def _authenticate(self, request: Any) -> str:
        """Leave what both ends say to each other about their secret out of the recording."""
        mute(request)
        try:
            reason: str = self._originals["authenticate"](request)
        finally:
            unmute(request)
        return reason

    def _handle_refused(self, request: Any, client_address: Any, reason: str) -> None:
        connection = connection_of(request)
        if connection is not None:
            connection.note(Kind.REFUSED, reason.encode())
            if isinstance(request, tuple):
                connection.note(Kind.CLOSE)
        self._originals["handle_refused"](request, client_address, reason)

    def _handle_error(self, request: Any, client_address: Any) -> None:
        """Note errors from around the handler; those of the handler have been noted. Ask the user's own hook."""
        error = sys.exception()
        connection = connection_of(request)
        if isinstance(error, OSError) and client_is_gone(request, error):
            return  # a class that does not tell this from an error
        if isinstance(error, Exception) and not self._is_noted(connection, error):
            self._recorder.failed(connection, error)
        if not is_default(self._originals["handle_error"]):
            try:
                self._originals["handle_error"](request, client_address)
            except Exception as second:
                self._recorder.failed(connection, second)
                raise

    def _is_noted(self, connection: Connection | None, error: Exception) -> bool:
        if self._recorder.is_child:
            return True  # a child has nothing but its handler
        return connection is not None and connection.error is error

    def _handle_disconnect(self, request: Any, client_address: Any) -> None:
        self._originals["handle_disconnect"](request, client_address)

    def _handle_accept_error(self, error: OSError) -> None:
        self._recorder.failed(None, error)
        if not is_default(self._originals["handle_accept_error"]):
            self._originals["handle_accept_error"](error)

    def _handle_truncated(self, data: bytes, size: int, client_address: Any) -> None:
        self._truncated = size
        if not is_default(self._originals["handle_truncated"]):
            self._originals["handle_truncated"](data, size, client_address)

    def _child_exited(self, pid: int, exit_code: int) -> None:
        self._originals["child_exited"](pid, exit_code)
        self._recorder.child_exited(pid, exit_code)


@contextlib.contextmanager
def noting_handshake(connection: Connection | None) -> Iterator[Callable[[Any], None]]:
    """Note what a handshake comes to: what the block says, or the HandshakeFailed that it raises."""

    def note(handshake: Any) -> None:
        if connection is not None and handshake is not None:
            connection.note(Kind.TLS, pickle.dumps(handshake))

    try:
        yield note
    except HandshakeFailed as error:
        note(error.handshake)
        raise


def connection_of(request: Any) -> Connection | None:
    """Return the recorded connection behind a request that has passed the seam."""
    if isinstance(request, tuple) and len(request) == 2:
        request = request[1]
    if isinstance(request, Tap):
        return request._whose
    if type(request) is socket.socket:
        return UNTAPPED.get(request)
    return request._connection if isinstance(request, DatagramTap) else None


def put_back(server: Any, name: str, original: Callable[..., Any]) -> None:
    """Undo `setattr(server, name, ...)`; a method of its own stays where it is, in the class."""
    if getattr(original, "__self__", None) is server:
        vars(server).pop(name, None)
    else:
        setattr(server, name, original)


def is_default(hook: Callable[..., Any]) -> bool:
    """Return whether the hook is one that only writes to stderr: what it would say is recorded already."""
    function = getattr(hook, "__func__", hook)
    return getattr(function, "__module__", "").split(".")[0] in ("socketserver", "windsock")
