"""Relayed datagrams of one server: its socket moves behind a relay, in its loop's own thread."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

from windsock.faults import FaultSet
from windsock.injection.datagram_relays import DatagramRelays, RelayedReplies
from windsock.injection.listener import FaultyListener
from windsock.net import addresses, groups
from windsock.net.system import os, socket
from windsock.recording import Recorder

__all__ = ["RelayedDatagrams"]

TOKEN_SIZE = 16


class RelayedDatagrams:
    """Between the clients of one datagram server and its handlers.

    While the server runs, the move happens when its loop reads a datagram of ours: earlier ones are read from the
    old socket, later ones by the relay, so none is lost or overtaken.
    """

    def __init__(
        self, server: Any, fault_set: FaultSet, recorder: Recorder, listener: FaultyListener, name: str
    ) -> None:
        self._server = server
        self._fault_set = fault_set
        self._recorder = recorder
        self._listener = listener
        self._name = name
        self._token = os.urandom(TOKEN_SIZE)
        self._relay_loop: DatagramRelays | None = None

    def begin_now(self) -> None:
        """Move the server's socket, before its loop has begun."""
        self._relay_loop, descriptor = self._make()
        os.dup2(descriptor, self._server.fileno(), inheritable=False)
        os.close(descriptor)

    def begin_soon(self) -> None:
        """Have the server's loop move its socket. All later datagrams are relayed."""
        with socket.socket(self._server.address_family, socket.SOCK_DGRAM) as poke:
            if groups.is_group(self._server.server_address[0]):
                groups.reach(poke)
            poke.sendto(self._token, self._server.server_address)

    def _make(self) -> tuple[DatagramRelays, int]:
        server_socket = self._server.socket
        timeout = server_socket.gettimeout()
        on_error = partial(self._recorder.teller(), None)
        with contextlib.ExitStack() as undo:
            public = socket.socket(server_socket.family, socket.SOCK_DGRAM, fileno=os.dup(server_socket.fileno()))
            undo.callback(public.close)
            relay_loop = DatagramRelays(public, self._fault_set, name=self._name, on_error=on_error)
            undo.callback(relay_loop.stop, 1.0)
            descriptor = os.dup(relay_loop.socket.fileno())
            undo.pop_all()
        os.set_blocking(descriptor, timeout is None)
        return relay_loop, descriptor

    def next_request(self, request: tuple[bytes, Any], address: Any) -> tuple[tuple[bytes, Any], Any]:
        """Return a request as its handler is to see it: from its client, and answered through the relay.

        Raises BlockingIOError for the datagram that is ours.
        """
        data, reader = request
        if self._relay_loop is None:
            if data == self._token:
                self._relay_loop, descriptor = self._make()
                self._listener.replace(descriptor)
            return request, address
        client = self._relay_loop.client_of(address)
        return (data, self.replies_over(reader)), addresses.plain(client)

    def replies_over(self, reader: Any) -> Any:
        """Return the socket through which datagrams go to clients, over the server's own or a tap on it."""
        return reader if self._relay_loop is None else RelayedReplies(reader, self._relay_loop)

    def begin_part(self, seconds: float) -> None:
        """Number the clients from 0 again, within `seconds`."""
        if self._relay_loop is not None:
            self._relay_loop.begin_part(seconds)

    def drain(self, seconds: float) -> None:
        """Wait until all is on its way that clients and handlers have sent, as far as it arrives within `seconds`."""
        if self._relay_loop is not None:
            self._relay_loop.drain(seconds)

    def stop(self, seconds: float) -> None:
        """End. Raises StillRunning."""
        if self._relay_loop is not None:
            with contextlib.closing(self._relay_loop.socket):
                self._relay_loop.stop(seconds)
