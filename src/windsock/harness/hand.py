"""Acts on the connections of a running server for the test, wherever they are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError, WaitTimeout, whole
from windsock.net import sockets
from windsock.net.deadlines import is_over, within
from windsock.net.system import monotonic
from windsock.recording import Connection, Recorder
from windsock.recording.events import Kind
from windsock.recording.in_hand import ConnectionEnded
from windsock.taps import Seam
from windsock.taps.datagram_tap import DatagramTap
from windsock.taps.stream_tap import Tap

if TYPE_CHECKING:
    from windsock.harness.acceptances import Acceptances
    from windsock.harness.mailbox import Mailbox
    from windsock.harness.sites import Site
    from windsock.injection.server_faults import ServerFaults

__all__ = ["ServerHand"]

LOOK = 0.01
"""Seconds between two looks for a connection that is on its way to its handler."""


class ServerHand:
    """The hand of a test in one server's connections.

    A connection of this process is found among the server's requests in progress. One of a forked child is acted on by
    the child: only it has the socket.
    """

    faults: ServerFaults | None = None
    """The server's faults, through whose relays datagrams go."""

    acceptances: Acceptances | None = None
    """The connections of a forking server that the test accepts, and so are in this process."""

    def __init__(self, server: Any, seam: Seam, recorder: Recorder, timeout: float, *, forks: bool) -> None:
        self._server = server
        self._recorder = recorder
        self._timeout = timeout
        self._mailbox: Mailbox | None = None
        page = recorder.room_for_children() if forks else None
        if page is not None:
            from windsock.harness.mailbox import Mailbox

            self._mailbox = Mailbox(page)
            seam.begin_in_child = self._mailbox.obey

    def send(self, connection: Connection, data: bytes, timeout: float | None) -> None:
        """See Hand."""
        if connection.is_datagram:
            self._send_datagram(connection, data)
            return
        seconds = self._timeout if timeout is None else timeout
        until = monotonic() + within(seconds)
        site = self._site_of(connection, "send(...)", until, seconds)
        connection.note(Kind.NOTE, b"the test sends %d B:" % len(data))
        try:
            sent = site.send(data, until)
        except OSError as error:
            raise self._ended(connection, "send(...)") from error
        if sent < len(data):
            what = f"connection #{connection.index}: {sent} of {len(data)} bytes were taken"
            raise self._timed_out(f"send(...): {what}", seconds)

    def end(self, connection: Connection, how: str) -> None:
        """See Hand."""
        call = f"{how}()"
        if connection.is_datagram:
            raise UsageError(f"{call}: #{connection.index} is a datagram, which has no connection; send() answers it")
        until = monotonic() + within(self._timeout)
        site = self._site_of(connection, call, until, self._timeout)
        connection.note(Kind.NOTE, f"the test: {call}".encode())
        try:
            site.end(how, until)
        except TimeoutError:
            raise self._timed_out(f"{call}: process {connection.pid} did not do it", self._timeout) from None
        except OSError as error:
            raise self._ended(connection, call) from error

    def _send_datagram(self, connection: Connection, data: bytes) -> None:
        if connection.peer is None:
            raise UsageError(f"send(...): the client of #{connection.index} has no name to send to")
        over = self._server.socket if self.faults is None else self.faults.replies_over(self._server.socket)
        connection.note(Kind.NOTE, b"the test sends %d B:" % len(data))
        try:
            DatagramTap(over, connection).sendto(data, connection.peer)
        except OSError as error:
            sockets.check_datagram(error, "send(...)", len(data))
            raise ConnectionEnded("send(...)", connection.index, error.strerror or str(error)) from error

    def _site_of(self, connection: Connection, call: str, until: float, seconds: float) -> Site:
        """Return where a connection is served, once its handshake is over. Raises ConnectionEnded, WaitTimeout."""
        while True:
            self._recorder.catch_up()
            if connection.is_released:
                raise self._ended(connection, call)
            site = self._site_now(connection, is_raw=call == "reset()")
            if site is not None:
                return site
            if monotonic() >= until:
                why = "its handshake is not over, or a process that its handler forked has it"
                raise self._timed_out(f"{call}: connection #{connection.index} was not found ({why})", seconds)
            self._recorder.waiters.wait_until(lambda: connection.is_released, LOOK)

    def _site_now(self, connection: Connection, *, is_raw: bool) -> Site | None:
        from windsock.harness.sites import InChild, request_of

        if self._mailbox is not None and not (self.acceptances and self.acceptances.holds(connection)):
            is_there = connection.pid is not None  # until then it is about to be forked
            return InChild(self._server, self._recorder, connection, self._mailbox) if is_there else None
        with request_of(self._server, connection) as request:
            return None if request is None else self._site_here(request, connection, is_raw=is_raw)

    def _site_here(self, request: Any, connection: Connection, *, is_raw: bool) -> Site | None:
        """Return the site of a request of this process; None while it is not known whether it will be encrypted."""
        from windsock.harness.sites import Here, InTLS, InTrioTLS

        server = self._server
        secured = server.encrypted(request) if hasattr(server, "encrypted") else None
        if is_raw:
            return Here(server, connection)
        if secured is not None and hasattr(secured, "send_all"):
            return InTrioTLS(server, connection, request, secured)
        if isinstance(request, Tap) and request.is_muted:
            return None if secured is None else InTLS(server, connection, secured)
        if secured is None and getattr(server, "begins_with_tls", False):
            return None
        return Here(server, connection)

    def _ended(self, connection: Connection, call: str) -> ConnectionEnded:
        return ConnectionEnded(call, connection.index, connection.ending or "by its client or its handler")

    def _timed_out(self, what: str, seconds: float) -> WaitTimeout:
        is_cut = is_over()
        failure = WaitTimeout(f"{what} within {whole(seconds, is_cut=is_cut)}")
        failure.is_cut = is_cut
        return failure
