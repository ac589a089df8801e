"""Ends over sockets of our own, which never block, and whose waits another thread can call off."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from windsock.endpoints.endpoint import DONTWAIT, Endpoint
from windsock.endpoints.outcomes import is_only_later, is_own_timeout, says_nothing
from windsock.endpoints.stream import StreamEndpoint, what_it_waits_for
from windsock.errors import PeerError, WindsockError
from windsock.net import sockets
from windsock.net.abort import kernel_socket
from windsock.net.deadlines import capped, milliseconds
from windsock.net.system import monotonic, os, patched_by_gevent, select, sleep, socket
from windsock.net.wakeup import Wakeup
from windsock.scripts import Inbox, StartTLS
from windsock.scripts.steps import Waitable

if TYPE_CHECKING:
    from windsock.security.tls_socket import TLSSocket

__all__ = ["NO_HANDSHAKE", "CalledOff", "ClientDatagramEndpoint", "ClientEndpoint", "ClientStreamEndpoint"]

NO_HANDSHAKE = "the other end did not do its part of the handshake"


class CalledOff(WindsockError):
    """The endpoint was closed in the middle of a script. Never leaves this package."""


class ClientEndpoint(Endpoint):
    """Waits with poll(2), for its socket and for being called off."""

    is_quick: bool = False
    """True if one call of the socket waits for at most `quick_for` seconds, which saves a poll(2)."""
    quick_for: float = 0.0

    def be_quick(self, seconds: float) -> None:
        """Have the socket block, with a deadline of the kernel's (SO_RCVTIMEO), while nothing but bytes is at stake."""
        microseconds = max(1, int(capped(seconds) * 1e6))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", *divmod(microseconds, 1_000_000)))
        self.sock.setblocking(True)
        self.is_quick = True
        self.quick_for = seconds

    def be_careful(self) -> None:
        """See End."""
        super().be_careful()
        self.not_block()

    def not_block(self) -> None:
        """Have the socket not block any more."""
        if self.is_quick:
            self.is_quick = False
            with contextlib.suppress(OSError):
                self.sock.setblocking(False)

    wakeup: Wakeup | None = None
    is_called_off: bool = False
    _poll: Any = None
    _events = 0

    def ready(self, events: int, seconds: float) -> bool:
        """Wait until the socket is ready; return whether it is. Raises CalledOff."""
        poll = self._poll
        if poll is None:
            self._poll = poll = select.poll()
            poll.register(kernel_socket(self.sock).fileno(), events)
            self._events = events
            if self.wakeup is not None:
                poll.register(self.wakeup.fileno(), select.POLLIN)
        elif events != self._events:
            poll.modify(kernel_socket(self.sock).fileno(), events)
            self._events = events
        found = poll.poll(milliseconds(seconds))
        self.check_called_off()
        return bool(found)

    def check_called_off(self) -> None:
        """Raise CalledOff if that has happened."""
        if self.is_called_off:
            raise CalledOff

    def sleep(self, seconds: float) -> None:
        """See End."""
        seconds = capped(seconds)
        if self.wakeup is None:
            sleep(seconds)
        else:
            poll = select.poll()
            poll.register(self.wakeup.fileno(), select.POLLIN)
            poll.poll(milliseconds(seconds))
            self.check_called_off()

    def can_be_called_off(self) -> None:
        """Get ready for it."""
        if self.wakeup is None:
            self.wakeup = Wakeup()
            self._poll = None
            self.be_careful()

    def call_off(self) -> None:
        """End the wait of another thread for this endpoint."""
        self.is_called_off = True
        if self.wakeup is not None:
            self.wakeup.call()

    def say_goodbye(self) -> bool:
        """Send close_notify; return True once that is done, not needed, or impossible.

        Never waits: data that the kernel does not accept now can be tried again. A forked child sends nothing: the
        connection belongs to its parent.
        """
        say = getattr(self.sock, "say_goodbye", None)
        if say is not None and not self.is_closed and self._process_id == os.getpid():
            self.be_careful()
            try:
                say()
            except OSError as error:
                return not is_only_later(error)
        return True

    def part(self) -> None:
        """Close it without waiting for anything, and in TLS without another word. Idempotent."""
        if not self.is_closed:
            abandon = getattr(self.sock, "abandon", None)
            if abandon is not None:
                if self._process_id == os.getpid():
                    sockets.end(kernel_socket(self.sock))
                abandon()
            self.close()

    def give_back(self) -> None:
        """Close this process's copy of the socket. Idempotent."""
        if self.wakeup is not None:
            self.wakeup.close()
            self.wakeup = None


class ClientStreamEndpoint(ClientEndpoint, StreamEndpoint):
    """A stream of our own. `context` and `server_hostname` are those for `start_tls()`, if the step has none."""

    def __init__(
        self,
        sock: Any,
        *,
        context: Callable[[], Any] | None = None,
        server_hostname: str | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(sock, clock=clock)
        # The short way could block without it, and waits in the kernel, where no greenlet of gevent's goes on.
        self.is_plain: bool = self.is_plain and bool(DONTWAIT) and not patched_by_gevent()
        self._context = context
        self._server_hostname = server_hostname or "localhost"

    def default_context(self) -> Any:
        """Return the context to go on in TLS with, if the step has none."""
        if self._context is not None:
            return self._context()
        from windsock.security import certificates

        return certificates.client_context(certificate=False)

    def tls_attempt(self, step: StartTLS) -> Callable[[], int | Waitable]:
        """Begin a handshake; return a function that goes on with it. May be overridden.

        The function returns what it waits for, an event of the socket or another one; 0 when the handshake is done.
        """
        return partial(self.try_tls, self.begin_tls(step))

    def begin_tls(self, step: StartTLS) -> TLSSocket:
        """Return the socket to go on with, before its handshake."""
        from windsock.security.tls_socket import TLSSocket

        self.be_careful()
        return TLSSocket(
            self.sock,
            step.context or self.default_context(),
            server_side=False,
            server_hostname=step.server_hostname or self._server_hostname,
        )

    def try_tls(self, secured: TLSSocket) -> int:
        """Go as far as it goes with a socket that does not block; return the event it waits for, 0 when done."""
        from windsock.security.handshake_info import HandshakeFailed

        try:
            secured.do_handshake()
        except HandshakeFailed as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and is_only_later(cause):
                return what_it_waits_for(cause)
            raise self._without_tls(error) from error
        self._go_on_in_tls(secured)
        return 0

    def _go_on_in_tls(self, secured: Any) -> None:
        self.sock = secured
        self.is_layered = self.may_have_more = True
        self.inbox.note("speaks TLS from here", self.clock())

    def _without_tls(self, error: PeerError) -> Exception:
        """Return what to raise for a handshake that has failed."""
        cause = error.__cause__
        if not isinstance(cause, OSError) or is_own_timeout(cause):
            return TimeoutError(NO_HANDSHAKE)
        self.lost(cause)
        received = getattr(getattr(error, "handshake", None), "shown_received", "")
        return PeerError(f"there is no TLS: {self.outcome}{received}")

    def try_to_send(self, view: memoryview | bytes, *, is_urgent: bool = False) -> int | None:
        """Send what goes at once; return how much, or None if the socket takes nothing now."""
        self.is_gone = False
        try:
            return int(self.sock.send(view, 1) if is_urgent else self.sock.send(view))  # MSG_OOB is 1 everywhere
        except OSError as error:
            if is_only_later(error):
                return None
            sockets.check_datagram(error, "send(...)", len(view), "record")
            self.failed_to_send(error)
            return 0


class ClientDatagramEndpoint(ClientEndpoint):
    """A connected datagram socket of our own: each datagram goes out whole or not at all, and may find no listener."""

    def __init__(self, sock: Any, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(sock, Inbox(is_datagram=True), clock=clock)
        self.is_plain = False
        self._largest = sockets.largest_datagram(sock.family)

    def try_to_send(self, data: bytes | memoryview, *, is_urgent: bool = False) -> int | None:  # noqa: ARG002  # a datagram
        """Send without waiting; return the number of bytes sent, or None if the socket accepts nothing now.

        A receiver that is gone is no error: the inbox records it. Raises UsageError for data that no receiver can take.
        """
        self.is_gone = False
        self.inbox.was_reset = False  # each one tries anew
        try:
            self.sock.send(data)
        except OSError as error:
            if is_only_later(error):
                return None
            sockets.check_datagram(error, "send(...)", len(data))
            self.is_gone = True
            self.lost(error)
            return 0
        return len(data)

    def read(self) -> bytes | None:
        """See Endpoint. One datagram."""
        try:
            data: bytes = self.sock.recv(self._largest)
        except OSError as error:
            if says_nothing(error):
                return None
            self.lost(error)
            return b""
        self.inbox.receive(data, self.clock())
        return data
