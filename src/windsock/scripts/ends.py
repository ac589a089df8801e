"""One end of a conversation, over a socket of any kind: does what a script says, and fills its inbox."""

from __future__ import annotations

import contextlib
import errno
import math
import select
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from windsock.errors import PeerError, UsageError
from windsock.scripts import rude
from windsock.scripts.outcomes import Outcome, is_only_later, outcome_of
from windsock.steps import Inbox, kinds
from windsock.steps.kinds import Event, Step

if TYPE_CHECKING:
    import ssl

    from windsock.security.tls_socket import TLSSocket

__all__ = ["LARGEST", "SLICE", "DatagramEnd", "End", "StreamEnd"]

CHUNK = 64 * 1024
NO_HANDSHAKE = "the other end did not do its part of the handshake in time"
LARGEST = 65536
"""Bytes of the largest datagram."""
SLICE = 0.01
"""Seconds between two looks at what can't wake us: an event, or a reset after the end of the stream."""


class End:
    """What both kinds have in common. `outcome` is what has become of it; `clock` gives the time of its inbox.

    Hooks that a subclass may override, for sockets that must be waited for in another way: `is_readable`, `sleep`.
    """

    def __init__(
        self, sock: Any, inbox: Inbox, *, is_client: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.sock = sock
        self.inbox = inbox
        self.clock = clock
        self.is_client = is_client
        self.is_stalled = False
        self.is_closed = False
        self.has_half_closed = False
        self.is_gone = False
        """Whether the last attempt to send has met nobody."""
        self.outcome: str = Outcome.OPEN
        self.is_layered = hasattr(sock, "pending")
        """Whether there is TLS: what is readable may be half of a record, or two of them."""
        self.is_plain = not self.is_layered
        """Whether nothing has happened that changes how to send and read: there is a short way then."""
        self.may_have_more = False
        """Whether a layer, such as TLS, may hold bytes that the kernel does not know of any more."""
        self._rate: float | None = None
        self.may_read_at = 0.0

    def be_careful(self) -> None:
        """Take the long way from here on. May be extended (call super)."""
        self.is_plain = False

    # --- acts

    def act(self, step: Step, deadline: float) -> None:
        """Do what a step says. Raises TimeoutError when it is not done at the deadline."""
        self.check_open(step.text)
        self.be_careful()
        self._acts[type(step)](self, step, deadline)

    def check_open(self, what: str) -> None:
        """Raise UsageError if this end has been closed, by the script itself."""
        if self.is_closed:
            raise UsageError(f"{what}: this end has been closed before; end the script there, or connect anew")

    def _close(self, step: kinds.Close | None = None, deadline: float = math.inf) -> None:  # noqa: ARG002  # as every act
        self.is_closed = True
        self.inbox.note("closed", self.clock())
        self.ended_as(Outcome.CLOSED)
        with contextlib.suppress(OSError):
            self.sock.close()

    def _stall(self, step: kinds.Stall, deadline: float) -> None:  # noqa: ARG002  # as every act
        self.is_stalled = True
        self.inbox.note("stalled", self.clock())
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(1, step.buffer // 2))  # Linux doubles it

    def _resume(self, step: kinds.Resume, deadline: float) -> None:  # noqa: ARG002  # as every act
        self.is_stalled = False
        self.inbox.note("resumed", self.clock())
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)

    _acts: ClassVar[dict[type[Step], Callable[[Any, Any, float], None]]] = {
        kinds.Close: _close,
        kinds.Stall: _stall,
        kinds.Resume: _resume,
    }

    # --- waiting

    def wait(self, until: float, event: Event | None = None) -> None:
        """Return when something came, or the event is set, or at the time `until`; or earlier, for no reason."""
        left = until - self.clock()
        if event is not None:
            left = min(left, SLICE)
        if self.is_stalled or self.is_closed or self.inbox.has_ended:
            self._let_pass(left)
        elif self.rate_holds_back():
            self.sleep(min(left, self.may_read_at - self.clock()))
        elif self.is_readable(left):
            self.take_in()

    def _let_pass(self, seconds: float) -> None:
        """Let time pass; see a reset that comes after the end."""
        is_in_doubt = self.inbox.has_eof and not self.inbox.was_reset and not self.is_closed
        self.sleep(min(seconds, SLICE) if is_in_doubt else seconds)
        if is_in_doubt:
            self.look_for_reset()

    def look_for_reset(self) -> None:
        """Take in a reset that has come behind the end of the stream."""
        if self.inbox.has_eof and not self.inbox.was_reset and rude.was_reset(self.sock):
            self.lost(ConnectionResetError())

    def rate_holds_back(self) -> bool:
        """Return whether nothing may be read now, for it would be faster than `read_rate()` says."""
        return self.may_read_at > 0.0 and self.may_read_at > self.clock()

    def is_readable(self, seconds: float) -> bool:
        """Wait until there is something to read. May be overridden."""
        if self.may_have_more:
            return True
        poll = select.poll()
        poll.register(self.sock.fileno(), select.POLLIN)
        return bool(poll.poll(milliseconds(seconds)))

    def sleep(self, seconds: float) -> None:
        """Let time pass. May be overridden."""
        time.sleep(min(max(0.0, seconds), 3600.0))

    def take_in(self) -> bool:
        """Read once, from a socket that is readable. Return whether something has changed."""
        raise NotImplementedError

    # --- what happens to it

    def ended_as(self, outcome: str) -> None:
        """Say what has become of it. What the other end did counts before what this one did; a reset comes last."""
        self.be_careful()
        is_ours = outcome in (Outcome.CLOSED, Outcome.TIMEOUT)
        if self.outcome == Outcome.OPEN or (not is_ours and self.outcome in (Outcome.TIMEOUT, Outcome.EOF)):
            self.outcome = outcome

    def lost(self, error: OSError) -> None:
        """The connection is gone, as an error says."""
        outcome = outcome_of(error)
        if outcome == Outcome.EOF:
            self.inbox.receive_eof(self.clock())
        else:
            self.inbox.receive_reset(self.clock(), "was reset" if outcome == Outcome.RESET else outcome)
        self.ended_as(outcome)

    def left(self, deadline: float) -> float:
        """Return how many seconds are left. Raises TimeoutError if none are."""
        seconds = deadline - self.clock()
        if seconds <= 0:
            raise TimeoutError
        return seconds


class StreamEnd(End):
    """Over anything with the methods of a blocking stream socket: a plain one, one with TLS, a server's request."""

    def __init__(
        self,
        sock: Any,
        inbox: Inbox | None = None,
        *,
        is_client: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(sock, Inbox() if inbox is None else inbox, is_client=is_client, clock=clock)

    def transmit(self, data: bytes, deadline: float, *, is_urgent: bool = False) -> None:
        """Send all of it. A peer that is gone is no error: the inbox says so. Raises TimeoutError at the deadline."""
        self.check_may_send()
        self.is_gone = False
        view, sent = memoryview(data), 0
        try:
            while sent < len(view) and not self.is_gone:
                with _time_is_up(sent, len(view)):
                    sent += self.send_some(view[sent:], self.left(deadline), is_urgent=is_urgent)
        finally:
            if sent:
                self.inbox.note_sent(data[:sent], self.clock())

    def check_may_send(self) -> None:
        """Raise UsageError if the script itself has ended what it sends."""
        self.check_open("send(...)")
        if self.has_half_closed:
            raise UsageError("send(...): this end has been half-closed before; nothing can be sent after that")

    def send_some(self, view: memoryview, seconds: float, *, is_urgent: bool = False) -> int:
        """Send what goes; return how much. Raises TimeoutError."""
        try:
            self.sock.settimeout(None if seconds == math.inf else seconds)
            flags = [socket.MSG_OOB] if is_urgent else []
            return int(self.sock.send(view, *flags))
        except OSError as error:
            self.failed_to_send(error)
            return 0

    def failed_to_send(self, error: OSError) -> None:
        """Take in what has come before the connection was gone, then note that. Raises the error if it is not gone."""
        if is_only_later(error) or (isinstance(error, TimeoutError) and not error.errno):
            raise error
        self.is_gone = True
        has_ended = self._drain()
        if has_ended and isinstance(error, BrokenPipeError):
            self.inbox.receive_eof(self.clock())
            self.ended_as(Outcome.EOF)
            if self.sock.family == socket.AF_UNIX:  # whose other end has only closed
                self.inbox.note("could not send: the other end is gone", self.clock())
                return
        self.lost(error)

    def _drain(self) -> bool:
        """Read what is left of a connection that is gone; return whether an end is behind it."""
        with contextlib.suppress(OSError):
            self.sock.settimeout(0.0)
            while data := self.sock.recv(CHUNK):
                self.inbox.receive(data, self.clock())
            return True
        return False

    def take_in(self) -> bool:
        """Read once."""
        now = self.clock()
        size = CHUNK if self._rate is None else max(1, min(CHUNK, int(self._rate * SLICE)))
        if self.is_layered:
            self.sock.settimeout(0.0)
        self.may_have_more = False
        try:
            data = self.sock.recv(size)
        except OSError as error:
            if is_only_later(error) or (isinstance(error, TimeoutError) and not error.errno):
                return False
            self.lost(error)
            return True
        if data:
            self.may_have_more = self.is_layered
            self.inbox.receive(data, now)
            if self._rate is not None:
                self.may_read_at = max(self.may_read_at, now - 2 * SLICE) + len(data) / self._rate
        else:
            self.inbox.receive_eof(now)
            self.ended_as(Outcome.EOF)
        return True

    # --- acts

    def _half_close(self, step: kinds.HalfClose, deadline: float) -> None:  # noqa: ARG002  # as every act
        self.has_half_closed = True
        self.inbox.note("half-closed", self.clock())
        with contextlib.suppress(OSError):  # the other end is gone: what is read says so
            self.sock.shutdown(socket.SHUT_WR)

    def _reset(self, step: kinds.Reset, deadline: float) -> None:
        if step.flush:
            self.flush(deadline)
        self.is_closed = True
        self.inbox.note("reset the connection", self.clock())
        self.ended_as(Outcome.CLOSED)
        rude.reset(self.sock)

    def flush(self, deadline: float) -> None:
        """Wait until the other end's system has all that was sent. Raises TimeoutError."""
        while left := rude.unacknowledged(self.sock):
            if self.clock() >= deadline:
                raise TimeoutError(f"{left} bytes that were sent have not been taken")
            self.sleep(SLICE / 10)

    def _read_rate(self, step: kinds.ReadRate, deadline: float) -> None:  # noqa: ARG002  # as every act
        self._rate = step.bytes_per_second
        self.may_read_at = 0.0
        if self._rate is not None:
            with contextlib.suppress(OSError):  # the other end is to notice: a tenth of a second fits into the kernel
                buffer = max(kinds.READ_BUFFER, int(self._rate / 10))
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer // 2)

    def _start_tls(self, step: kinds.StartTLS, deadline: float) -> None:
        from windsock.security.facts import HandshakeFailed

        secured = self.begin_tls(step)
        try:
            secured.do_handshake(max(0.001, self.left(deadline)))
        except HandshakeFailed as error:
            raise self._without_tls(error) from error
        self._go_on_in_tls(secured)

    def begin_tls(self, step: kinds.StartTLS) -> TLSSocket:
        """Return the socket to go on with, before its handshake."""
        from windsock.security.tls_socket import TLSSocket

        self.be_careful()
        return TLSSocket(
            self.sock,
            step.context or self.default_context(),
            server_side=not self.is_client,
            server_hostname=(step.server_hostname or "localhost") if self.is_client else None,
        )

    def try_tls(self, secured: TLSSocket) -> str | None:
        """Go as far as it goes with a socket that does not block: what it waits for, "read" or "write"; None: done."""
        from windsock.security.facts import HandshakeFailed

        try:
            secured.do_handshake()
        except HandshakeFailed as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and is_only_later(cause):
                return "write" if type(cause).__name__ == "SSLWantWriteError" else "read"
            raise self._without_tls(error) from error
        self._go_on_in_tls(secured)
        return None

    def _without_tls(self, error: PeerError) -> Exception:
        """Return what to raise for a handshake that has failed."""
        cause = error.__cause__
        if not isinstance(cause, OSError) or (isinstance(cause, TimeoutError) and not cause.errno):
            return TimeoutError(NO_HANDSHAKE)
        self.lost(cause)
        return PeerError(f"there is no TLS: {self.outcome}")

    def _go_on_in_tls(self, secured: TLSSocket) -> None:
        self.sock = secured
        self.is_layered = self.may_have_more = True
        self.inbox.note("speaks TLS from here", self.clock())

    def default_context(self) -> ssl.SSLContext:
        """Return the context to go on in TLS with, if the step has none. May be overridden."""
        from windsock.security import certificates

        if self.is_client:
            return certificates.client_context(certificate=False)
        context = certificates.server_context(is_mutual=False)
        certificates.certificate("valid", ("localhost", "127.0.0.1", "::1")).configure_cert(context)
        return context

    _acts: ClassVar[dict[type[Step], Callable[[Any, Any, float], None]]] = {
        **End._acts,
        kinds.HalfClose: _half_close,
        kinds.Reset: _reset,
        kinds.ReadRate: _read_rate,
        kinds.StartTLS: _start_tls,
    }


class DatagramEnd(End):
    """Over a datagram socket: a connected one, or a bound one, which answers whoever has spoken last."""

    def __init__(
        self,
        sock: socket.socket,
        inbox: Inbox | None = None,
        *,
        to: Any = None,
        is_client: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(sock, Inbox(is_datagram=True) if inbox is None else inbox, is_client=is_client, clock=clock)
        self.to = to
        """Where datagrams go; None: where the socket is connected to."""

    def transmit(self, data: bytes, deadline: float, *, is_urgent: bool = False) -> None:  # noqa: ARG002  # a datagram
        """Send one. A receiver that is gone is no error: the inbox says so. Raises TimeoutError at the deadline."""
        self.check_open("send(...)")
        self.inbox.was_reset = False  # each one tries anew
        try:
            seconds = self.left(deadline)
            self.sock.settimeout(None if seconds == math.inf else seconds)
            self.send_one(data)
        except OSError as error:
            if isinstance(error, TimeoutError) and not error.errno:
                raise TimeoutError("the receiver took nothing") from None
            self.failed_to_send(error, len(data))
        else:
            self.inbox.note_sent(data, self.clock())

    def failed_to_send(self, error: OSError, size: int = 0) -> None:
        """Note that the receiver is gone. Raises UsageError for what no receiver could take."""
        if error.errno == errno.EMSGSIZE:
            raise UsageError(f"send(...): {size} bytes are more than one datagram can carry here") from None
        self.lost(error)

    def send_one(self, data: bytes) -> None:
        """Send one datagram to where they go."""
        if self.to is None:
            self.sock.send(data)
        else:
            self.sock.sendto(data, self.to)

    def take_in(self) -> bool:
        """Read one datagram."""
        try:
            if self.is_client:
                data = self.sock.recv(LARGEST)
            else:
                data, self.to = self.sock.recvfrom(LARGEST)
        except OSError as error:
            if is_only_later(error) or (isinstance(error, TimeoutError) and not error.errno):
                return False
            self.lost(error)
            return True
        self.inbox.receive(data, self.clock())
        return True


def milliseconds(seconds: float) -> int:
    """Return what poll(2) takes, rounded up: not to come back too early."""
    if 0.0 < seconds < 3600.0:
        return int(seconds * 1000.0) + 1
    return 0 if seconds <= 0.0 else 3600_000


class _time_is_up:  # noqa: N801  # a context manager, read as words
    """Says how far it came when the time is up."""

    def __init__(self, done: int, size: int) -> None:
        self._words = f"the other end took {done} of {size} bytes in time"

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise TimeoutError(self._words) from None
