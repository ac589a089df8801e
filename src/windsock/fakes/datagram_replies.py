"""Replies of a fake to datagrams: where its server handles the datagram, or, delayed, in threads of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from windsock.fakes.responder import Responder
from windsock.fakes.script_run import perform
from windsock.fakes.server_endpoint import ServerDatagram, ServerStopped, StopEvent
from windsock.fakes.sources import OtherSource
from windsock.net import addresses, sockets
from windsock.net.deadlines import capped
from windsock.net.system import monotonic, threading
from windsock.recording import Recorder
from windsock.scripts import Script
from windsock.scripts.conversation import Conversation
from windsock.taps.requests import connection_of

__all__ = ["DatagramReplies"]


class DatagramReplies:
    """Answers the datagrams of a fake by its rules."""

    def __init__(
        self,
        responder: Responder,
        recorder: Recorder,
        *,
        timeout: Callable[[], float],
    ) -> None:
        self._responder = responder
        self._recorder = recorder
        self._timeout = timeout
        self._threads: list[Any] = []
        self.has_threads = False
        """Whether a delayed reply gets a thread of its own: its server handles one datagram after the other."""

    def handle(self, request: tuple[bytes, Any], client_address: Any, stop_event: Callable[[], StopEvent]) -> None:
        """Answer one datagram. `stop_event` makes what ends its waits, if there are any."""
        message, server_socket = request
        connection = connection_of(request)
        address = addresses.plain(client_address)
        answer = self._responder.answer(message, -1 if connection is None else connection.index, address)
        index = None if connection is None else connection.index
        conversation = Conversation(server_socket, index=index, peer=address, protocol=self._responder.protocol)
        plan = None if answer is None else answer.plan(message, conversation, is_datagram=True)
        if answer is None or plan is None or address is None:
            return
        if answer.source is not None:
            server_socket = OtherSource(server_socket, answer.source, connection)
            request = message, server_socket
        if isinstance(plan, bytes):
            _send(server_socket, plan, address)
            return
        end = ServerDatagram(request, client_address, stop_event())
        if self.has_threads:
            self._begin(plan, end)
        else:
            self._perform(plan, end)

    def _perform(self, plan: Script, end: ServerDatagram) -> None:
        with contextlib.suppress(ServerStopped):  # the server stops in the middle of a reply
            perform(plan, end, self._timeout())

    def _begin(self, plan: Script, end: ServerDatagram) -> None:
        name = f"windsock reply {addresses.show(end.client_address)}"
        thread = threading.Thread(target=self._perform_apart, args=(plan, end), name=name, daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()]
        thread.start()
        self._threads.append(thread)

    def _perform_apart(self, plan: Script, end: ServerDatagram) -> None:
        try:
            self._perform(plan, end)
        except BaseException as error:
            self._recorder.failed(connection_of(end.request), error)

    def stop(self, seconds: float) -> None:
        """Wait for the threads, now that the stop event is set."""
        deadline = monotonic() + seconds
        threads, self._threads = self._threads, []
        for each in threads:
            each.join(capped(deadline - monotonic()))


def _send(server_socket: Any, data: bytes, address: Any) -> None:
    """Send one datagram. Does not fail if the client is gone."""
    try:
        with contextlib.suppress(ConnectionRefusedError, ConnectionResetError, FileNotFoundError):
            server_socket.sendto(data, address)
    except OSError as error:
        sockets.check_datagram(error, "reply(...)", len(data))
        raise
