"""A stream endpoint: sends all data or fails at its deadline, reads at a limited rate, resets, starts and ends TLS."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, ClassVar

from windsock.endpoints.endpoint import CHUNK, SLICE, Endpoint
from windsock.endpoints.outcomes import Outcome, is_only_later, is_own_timeout, says_nothing
from windsock.errors import PeerError, UsageError
from windsock.net import abort, sockets, urgent
from windsock.net.deadlines import capped
from windsock.net.event_loop import READABLE, WRITABLE
from windsock.net.records import LARGEST_RECORD, TRUNCATED, keeps_records
from windsock.net.system import monotonic, socket
from windsock.scripts import Inbox, Progress
from windsock.scripts import steps as kinds
from windsock.scripts.repr import sketch
from windsock.scripts.steps import Step

__all__ = ["NO_END_OF_TLS", "StreamEndpoint", "what_it_waits_for"]

NO_END_OF_TLS = "the other end did not end TLS"


class StreamEndpoint(Endpoint):
    """An endpoint over any object with the methods of a blocking stream socket: plain, TLS, or a server's request."""

    def __init__(self, sock: Any, *, clock: Callable[[], float] = monotonic) -> None:
        is_record = keeps_records(sock)
        super().__init__(sock, Inbox(is_record=is_record), clock=clock)
        self._keeps_marks = False
        self._chunk = CHUNK
        if is_record:
            self.is_plain = False
            self._chunk = LARGEST_RECORD

    def transmit(self, data: bytes, deadline: float, *, is_urgent: bool = False) -> None:
        """Send all of the data. If the peer is gone, note that in the inbox. Raises TimeoutError at the deadline."""
        self.check_may_send(data, is_urgent=is_urgent)
        self.is_gone = False
        view, sent = memoryview(data), 0
        flags = [socket.MSG_OOB] if is_urgent else []
        try:
            while sent < len(view) and not self.is_gone:
                try:
                    self.sock.settimeout(capped(self.left(deadline)))
                    sent += self.sock.send(view[sent:], *flags)
                except OSError as error:
                    if is_own_timeout(error):
                        raise TimeoutError(f"the other end took {sent} of {len(view)} bytes") from None
                    sockets.check_datagram(error, "send(...)", len(view), "record")
                    self.failed_to_send(error)
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

    def prepare_for(self, progress: Progress) -> None:
        """See Endpoint. Urgent bytes that the script expects stay in the stream."""
        if progress.expects_urgent and not self.is_closed:
            self._keep_marks(progress.cursor.step)

    def _keep_marks(self, step: Step | None) -> None:
        """Report urgent bytes to the inbox from here on; not beneath TLS, which they would break."""
        is_layered = hasattr(self.sock, "pending")
        if is_layered and isinstance(step, kinds.ExpectUrgent):
            raise UsageError(f"{step.text}: TLS has no urgent data; expect it in plaintext, before start_tls()")
        if not self._keeps_marks:
            self._keeps_marks = True
            self.be_careful()
            if not is_layered:
                urgent.keep_inline(self.sock)

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
            while data := self.receive(self._chunk):
                self.inbox.receive(data, self.clock())
            return True
        return False

    def take_in(self) -> bool:
        """Read once: at most what the rate allows, and without waiting for the rest of a TLS record."""
        rate = self._rate
        if self.is_layered:
            self.sock.settimeout(0.0)
        self.may_have_more = False
        data = self.read(self._chunk if rate is None else max(1, min(CHUNK, int(rate * SLICE))))
        if data:
            self.may_have_more = self.is_layered
            if rate is not None:
                self.may_read_at = max(self.may_read_at, self.clock() - 2 * SLICE) + len(data) / rate
        return data is not None

    def read(self, size: int = CHUNK) -> bytes | None:
        """See End."""
        is_urgent = self._keeps_marks and self._is_at_mark()
        try:
            data = self.receive(1 if is_urgent else size)
        except OSError as error:
            if says_nothing(error):
                return None
            self.lost(error)
            return b""
        if data and is_urgent:
            self.inbox.receive_urgent(data, self.clock())
        elif data:
            self.inbox.receive(data, self.clock())
        else:
            self.inbox.receive_eof(self.clock())
            self.ended_as(Outcome.EOF)
        return data

    def _is_at_mark(self) -> bool:
        """Return whether the next byte is urgent; never in TLS. May be extended (call super)."""
        return not hasattr(self.sock, "pending") and urgent.is_at_mark(self.sock)

    def receive(self, size: int) -> bytes:
        """Return data of one call of the socket. Raises OSError. May be overridden."""
        data: bytes
        if not self.inbox.is_record:
            data = self.sock.recv(size)
            return data
        data, _, flags, _ = self.sock.recvmsg(size)
        if flags & TRUNCATED:
            self.inbox.note(f"a record was cut to {size} B: the rest is lost", self.clock())
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

    def try_to_stop_tls(self) -> int:
        """Go as far as it goes with a socket that does not block; return the event it waits for, 0 when done."""
        try:
            within, behind = self.sock.end_tls()
        except OSError as error:
            if is_only_later(error):
                return what_it_waits_for(error)
            raise self._without_end_of_tls(error) from error
        self._go_on_in_the_clear(within + behind)
        return 0

    def _without_end_of_tls(self, error: OSError) -> Exception:
        """Return the exception for an end of TLS that failed."""
        if is_own_timeout(error):
            return TimeoutError(NO_END_OF_TLS)
        self.lost(error)
        return PeerError(f"TLS did not end normally: {self.outcome}")

    def _go_on_in_the_clear(self, unread: bytes) -> None:
        self.sock = self.sock.raw
        self.is_layered = self.may_have_more = False
        if self._keeps_marks:
            urgent.keep_inline(self.sock)
        if self.outcome == Outcome.EOF:
            self.outcome = Outcome.OPEN
        self.inbox.end_tls(unread, self.clock())

    acts: ClassVar[dict[type[Step], Callable[[Any, Any, float], None]]] = {
        **Endpoint.acts,
        kinds.HalfClose: _half_close,
        kinds.Reset: _reset,
        kinds.ReadRate: _read_rate,
        kinds.StopTLS: _stop_tls,
    }


def what_it_waits_for(error: OSError) -> int:
    """Return the event that TLS waits for over a socket that does not block."""
    return WRITABLE if type(error).__name__ == "SSLWantWriteError" else READABLE
