"""A stream endpoint: sends all data or fails at its deadline, reads at a limited rate, resets, starts and ends TLS."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from windsock.endpoints.endpoint import CHUNK, SLICE, Endpoint
from windsock.endpoints.outcomes import Outcome, is_only_later, is_own_timeout, says_nothing
from windsock.errors import PeerError, UsageError
from windsock.net import abort
from windsock.net.deadlines import capped
from windsock.net.system import monotonic, socket
from windsock.scripts import Inbox
from windsock.scripts import steps as kinds
from windsock.scripts.repr import sketch
from windsock.scripts.steps import Step

if TYPE_CHECKING:
    import ssl

    from windsock.security.tls_socket import TLSSocket

__all__ = ["NO_END_OF_TLS", "NO_HANDSHAKE", "StreamEndpoint"]

NO_END_OF_TLS = "the other end did not end TLS in time"
NO_HANDSHAKE = "the other end did not do its part of the handshake in time"


class StreamEndpoint(Endpoint):
    """An endpoint over any object with the methods of a blocking stream socket: plain, TLS, or a server's request."""

    def __init__(
        self,
        sock: Any,
        inbox: Inbox | None = None,
        *,
        is_client: bool,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(sock, Inbox() if inbox is None else inbox, is_client=is_client, clock=clock)

    def transmit(self, data: bytes, deadline: float, *, is_urgent: bool = False) -> None:
        """Send all of the data. If the peer is gone, note that in the inbox. Raises TimeoutError at the deadline."""
        self.check_may_send(data, is_urgent=is_urgent)
        self.is_gone = False
        view, sent = memoryview(data), 0
        try:
            while sent < len(view) and not self.is_gone:
                with _time_is_up(sent, len(view)):
                    sent += self.send_some(view[sent:], self.left(deadline), is_urgent=is_urgent)
        finally:
            if sent:
                self.inbox.note_sent(data[:sent], self.clock())

    def check_may_send(self, data: bytes, *, is_urgent: bool = False) -> None:
        """See Endpoint. TLS has no urgent data."""
        super().check_may_send(data, is_urgent=is_urgent)
        if self.has_half_closed:
            step = f"{'urgent' if is_urgent else 'send'}({sketch(data)})"
            raise UsageError(f"{step}: this end has been half-closed before; nothing can be sent after that")
        if is_urgent and hasattr(self.sock, "pending"):
            raise UsageError(
                f"urgent({sketch(data)}): TLS has no urgent data; use send(), or call urgent() in plaintext, "
                "before start_tls()"
            )

    def send_some(self, view: memoryview, seconds: float, *, is_urgent: bool = False) -> int:
        """Send as much as possible; return how much. Raises TimeoutError."""
        try:
            self.sock.settimeout(capped(seconds))
            flags = [socket.MSG_OOB] if is_urgent else []
            return int(self.sock.send(view, *flags))
        except OSError as error:
            self.failed_to_send(error)
            return 0

    def failed_to_send(self, error: OSError) -> None:
        """Read what came before the connection was gone, then note its end. Raises the error if it is not gone."""
        if says_nothing(error):
            raise error
        self.is_gone = True
        has_ended = self._drain()
        if has_ended and isinstance(error, BrokenPipeError):
            self.inbox.receive_eof(self.clock())
            self.ended_as(Outcome.EOF)
            if self.sock.family == socket.AF_UNIX:  # its other end has only closed
                self.inbox.note("could not send: the other end is gone", self.clock())
                return
        self.lost(error)

    def _drain(self) -> bool:
        """Read the rest of a connection that is gone; return whether it has an end."""
        with contextlib.suppress(OSError):
            self.sock.settimeout(0.0)
            while data := self.sock.recv(CHUNK):
                self.inbox.receive(data, self.clock())
            return True
        return False

    def take_in(self) -> bool:
        """Read once: at most what the rate allows, and without waiting for the rest of a TLS record."""
        rate = self._rate
        if self.is_layered:
            self.sock.settimeout(0.0)
        self.may_have_more = False
        data = self.read(CHUNK if rate is None else max(1, min(CHUNK, int(rate * SLICE))))
        if data:
            self.may_have_more = self.is_layered
            if rate is not None:
                self.may_read_at = max(self.may_read_at, self.clock() - 2 * SLICE) + len(data) / rate
        return data is not None

    def read(self, size: int = CHUNK) -> bytes | None:
        """See End."""
        try:
            data = self.receive(size)
        except OSError as error:
            if says_nothing(error):
                return None
            self.lost(error)
            return b""
        if data:
            self.inbox.receive(data, self.clock())
        else:
            self.inbox.receive_eof(self.clock())
            self.ended_as(Outcome.EOF)
        return data

    def receive(self, size: int) -> bytes:
        """Return data of one call of the socket. Raises OSError. May be overridden."""
        data: bytes = self.sock.recv(size)
        return data

    # --- steps

    def _half_close(self, step: kinds.HalfClose, deadline: float) -> None:  # noqa: ARG002  # one signature for all
        self.has_half_closed = True
        self.inbox.note("half-closed", self.clock())
        with contextlib.suppress(OSError):  # the other end is gone: reading shows that
            self.sock.shutdown(socket.SHUT_WR)

    def _reset(self, step: kinds.Reset, deadline: float) -> None:
        if step.flush:
            self.flush(deadline)
        self.is_closed = True
        self.inbox.note("reset the connection", self.clock())
        self.ended_as(Outcome.CLOSED)
        abort.reset(self.sock)

    def flush(self, deadline: float) -> None:
        """Wait until the other end's kernel has all data sent. Raises TimeoutError."""
        while left := abort.unacknowledged(self.sock):
            if self.clock() >= deadline:
                raise TimeoutError(f"{left} bytes that were sent have not been taken")
            self.sleep(SLICE / 10)

    def _read_rate(self, step: kinds.ReadRate, deadline: float) -> None:  # noqa: ARG002  # one signature for all
        self._rate = step.bytes_per_second
        self.may_read_at = 0.0
        if self._rate is None:
            self.make_room()
        else:
            with contextlib.suppress(OSError):  # so that the other end notices: the kernel holds a tenth of a second
                if self._room is None:
                    self._room = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
                buffer = max(kinds.READ_BUFFER, int(self._rate / 10))
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer // 2)

    def _start_tls(self, step: kinds.StartTLS, deadline: float) -> None:
        from windsock.security.handshake_info import HandshakeFailed

        secured = self.begin_tls(step)
        try:
            secured.do_handshake(max(0.001, self.left(deadline)))
        except HandshakeFailed as error:
            raise self._without_tls(error) from error
        self._go_on_in_tls(secured)

    def begin_tls(self, step: kinds.StartTLS) -> TLSSocket:
        """Return the TLS socket to continue with, before its handshake."""
        from windsock.security.tls_socket import TLSSocket

        self.be_careful()
        return TLSSocket(
            self.sock,
            step.context or self.default_context(),
            server_side=not self.is_client,
            server_hostname=(step.server_hostname or "localhost") if self.is_client else None,
        )

    def try_tls(self, secured: TLSSocket) -> str | None:
        """Continue a handshake without blocking; return "read" or "write" if it must wait, None when it is done."""
        from windsock.security.handshake_info import HandshakeFailed

        try:
            secured.do_handshake()
        except HandshakeFailed as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and is_only_later(cause):
                return _what_it_waits_for(cause)
            raise self._without_tls(error) from error
        self._go_on_in_tls(secured)
        return None

    def _without_tls(self, error: PeerError) -> Exception:
        """Return the exception for a failed handshake."""
        cause = error.__cause__
        if not isinstance(cause, OSError) or is_own_timeout(cause):
            return TimeoutError(NO_HANDSHAKE)
        self.lost(cause)
        return PeerError(f"the handshake failed: {self.outcome}")

    def _go_on_in_tls(self, secured: TLSSocket) -> None:
        self.sock = secured
        self.is_layered = self.may_have_more = True
        self.inbox.note("speaks TLS from here", self.clock())

    def _stop_tls(self, step: kinds.StopTLS, deadline: float) -> None:
        self.check_may_stop_tls(step)
        try:
            within, behind = self.sock.end_tls(max(0.001, self.left(deadline)))
        except OSError as error:
            raise self._without_end_of_tls(error) from error
        self._go_on_in_the_clear(within + behind)

    def check_may_stop_tls(self, step: kinds.StopTLS) -> None:
        """Raise UsageError if the connection is not encrypted."""
        if not hasattr(self.sock, "end_tls"):
            raise UsageError(f"{step.text}: this end is not encrypted; start_tls() comes first")
        self.be_careful()

    def try_to_stop_tls(self) -> str | None:
        """Continue to end TLS without blocking; return "read" or "write" if it must wait, None when it is done."""
        try:
            within, behind = self.sock.end_tls()
        except OSError as error:
            if is_only_later(error):
                return _what_it_waits_for(error)
            raise self._without_end_of_tls(error) from error
        self._go_on_in_the_clear(within + behind)
        return None

    def _without_end_of_tls(self, error: OSError) -> Exception:
        """Return the exception for an end of TLS that failed."""
        if is_own_timeout(error):
            return TimeoutError(NO_END_OF_TLS)
        self.lost(error)
        return PeerError(f"TLS did not end normally: {self.outcome}")

    def _go_on_in_the_clear(self, unread: bytes) -> None:
        self.sock = self.sock.raw
        self.is_layered = self.may_have_more = False
        if self.outcome == Outcome.EOF:
            self.outcome = Outcome.OPEN
        self.inbox.end_tls(unread, self.clock())

    def default_context(self) -> ssl.SSLContext:
        """Return the context for TLS if the step has none. May be overridden."""
        from windsock.security import certificates

        if self.is_client:
            return certificates.client_context(certificate=False)
        context = certificates.server_context(is_mutual=False)
        certificates.configure(context, certificates.certificate("valid", ("localhost", "127.0.0.1", "::1")))
        return context

    acts: ClassVar[dict[type[Step], Callable[[Any, Any, float], None]]] = {
        **Endpoint.acts,
        kinds.HalfClose: _half_close,
        kinds.Reset: _reset,
        kinds.ReadRate: _read_rate,
        kinds.StartTLS: _start_tls,
        kinds.StopTLS: _stop_tls,
    }


def _what_it_waits_for(error: OSError) -> str:
    return "write" if type(error).__name__ == "SSLWantWriteError" else "read"


class _time_is_up:  # noqa: N801  # a context manager, read as words
    """Adds the progress to a TimeoutError."""

    def __init__(self, done: int, size: int) -> None:
        self._words = f"the other end took {done} of {size} bytes in time"

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise TimeoutError(self._words) from None
