"""The test's end of an accepted connection: a client's end, over the request of the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from windsock.clients.client_endpoint import ClientDatagramEndpoint, ClientStreamEndpoint
from windsock.clients.nonblocking import OwnEnd
from windsock.endpoints.recorded import RecordedStream
from windsock.errors import PeerError
from windsock.fakes.playable import check_tls_step
from windsock.harness.arrivals import DatagramExchange
from windsock.harness.thread_pool import start_thread
from windsock.net.system import monotonic, threading
from windsock.scripts import ScriptMismatch, StartTLS
from windsock.scripts.steps import Waitable

__all__ = ["check_rest", "end_over"]


def end_over(sock: Any, server: Any, clock: Callable[[], float] = monotonic) -> OwnEnd:
    """Return the end over the socket of an arrival."""
    if isinstance(sock, DatagramExchange):
        return ClientDatagramEndpoint(sock, clock=clock)
    return AcceptedStream(sock, server, clock=clock)


def check_rest(end: OwnEnd, stopped: Callable[[str], ScriptMismatch]) -> None:
    """Raise what `stopped()` returns if more has come than was expected, unless the test has closed or stalled it."""
    while not (end.is_closed or end.is_stalled or end.inbox.has_ended or end.inbox) and end.take_in():
        pass
    if end.inbox and not (end.is_closed or end.is_stalled):
        raise stopped("more came than was expected")


class AcceptedStream(RecordedStream, ClientStreamEndpoint):
    """The end of a stream; TLS is the server's, with its certificate."""

    def __init__(self, request: Any, server: Any, *, clock: Callable[[], float]) -> None:
        super().__init__(request, clock=clock)
        self.is_plain = False  # what passes is recorded
        self._server = server

    def tls_attempt(self, step: StartTLS) -> Callable[[], int | Waitable]:
        """See ClientStreamEndpoint. A thread does the server's part of the handshake, as its handlers do."""
        check_tls_step(step.text, step, self._server, is_in_tls=self.is_layered)
        self.give_back_handshake()
        handshake = _Handshake(self._server.start_tls, self.sock)

        def attempt() -> int | Waitable:
            if not handshake.over.is_set():
                return handshake.over
            if isinstance(handshake.error, PeerError):
                raise self._without_tls(handshake.error) from handshake.error
            if handshake.error is not None:
                raise handshake.error
            self._go_on_in_tls(handshake.secured)
            return 0

        return attempt


class _Handshake:
    """A handshake in a thread: `over` is set at its end."""

    def __init__(self, start_tls: Callable[[Any], Any], request: Any) -> None:
        self.over = threading.Event()
        self.secured: Any = None
        self.error: BaseException | None = None
        self._start_tls = start_tls
        self._request = request
        start_thread(self._run, "windsock TLS of an accepted connection")

    def _run(self) -> None:
        try:
            self.secured = self._start_tls(self._request)
            self.secured.settimeout(0.0)
        except BaseException as error:
            self.error = error
        finally:
            self.over.set()
