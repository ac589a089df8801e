"""An endpoint over a socket of any kind: carries out a script's steps and fills its inbox."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, ClassVar

from windsock.endpoints.outcomes import Outcome, outcome_of
from windsock.errors import UsageError
from windsock.net import abort
from windsock.net.deadlines import capped, milliseconds
from windsock.net.system import monotonic, os, platform, select, sleep, socket
from windsock.scripts import Inbox, Progress
from windsock.scripts import steps as kinds
from windsock.scripts.repr import sketch
from windsock.scripts.steps import Step, Waitable

__all__ = ["CHUNK", "DONTWAIT", "SLICE", "Endpoint"]

CHUNK = 64 * 1024
"""The most bytes that one read returns."""
DONTWAIT = int(getattr(socket, "MSG_DONTWAIT", 0))
"""The flag for non-blocking calls, if there is one. A plain number: enum flags cost more than the call."""
MOST_ROOM = 1024 * 1024
"""The window that TCP may advertise, in bytes, once it need not be small any more."""
SLICE = 0.01
"""Seconds between two checks of what cannot wake us: an event, or a reset after the end of the stream."""


class Endpoint:
    """The base of stream and datagram endpoints. `outcome` is its ending in one word; `clock` times its inbox.

    Subclasses may override `is_readable` and `sleep`, for sockets that must be waited for in another way.
    """

    def __init__(self, sock: Any, inbox: Inbox, *, clock: Callable[[], float] = monotonic) -> None:
        self.sock = sock
        self._process_id = os.getpid()
        self.inbox = inbox
        inbox.conversation.begin(sock)
        self.clock = clock
        self.is_stalled: bool = False
        self.is_closed: bool = False
        self.has_half_closed = False
        self.is_gone = False
        """True if the latest datagram found no receiver."""
        self.outcome: str = Outcome.OPEN
        self.is_layered: bool = hasattr(sock, "pending")
        """Whether there is TLS: readable data may be half a record, or two records."""
        self.is_plain: bool = not self.is_layered
        """Whether nothing has changed how to send and read, so that a faster path can be taken."""
        self.may_have_more = False
        """Whether a wrapper, such as TLS, may hold bytes that the kernel no longer has."""
        self._has_hung_up = False
        self._rate: float | None = None
        self._room: int | None = None
        """The kernel's buffer (bytes) before a stall or a rate made it small."""
        self.may_read_at: float = 0.0

    def be_careful(self) -> None:
        """Avoid the faster path from here on. May be extended (call super)."""
        self.is_plain = False

    # --- acts

    def act(self, step: Step, deadline: float) -> None:
        """Carry out a step. Raises TimeoutError at the deadline."""
        self.check_open(step.text)
        self.be_careful()
        act = self.acts.get(type(step))
        if act is None:
            raise UsageError(f"{step.text}: this step is for the scripts of fake servers")
        act(self, step, deadline)

    def check_open(self, what: str) -> None:
        """Raise UsageError if the script has closed this end."""
        if self.is_closed:
            raise UsageError(f"{what}: this end has been closed before; end the script there, or connect anew")

    def prepare_for(self, progress: Progress) -> None:
        """Prepare for a script before its first step. May be overridden."""

    def check_may_send(self, data: bytes, *, is_urgent: bool = False) -> None:
        """Raise UsageError if the script has made sending this impossible. May be extended (call super)."""
        if self.is_closed:
            self.check_open(f"{'urgent' if is_urgent else 'send'}({sketch(data)})")

    def close(self) -> None:
        """Close the socket. The outcome remains what the other end did, if it has ended the connection before."""
        self.is_closed = True
        self.inbox.note("closed", self.clock())
        self.ended_as(Outcome.CLOSED)
        with contextlib.suppress(OSError):
            if self._process_id == os.getpid() and not self.inbox.is_datagram:
                abort.close(self.sock)
            else:  # a forked child only closes its copy: the connection goes on
                abort.kernel_socket(self.sock).close()

    def _close(self, step: kinds.Close, deadline: float) -> None:  # noqa: ARG002  # one signature for all
        self.close()

    def _stall(self, step: kinds.Stall, deadline: float) -> None:  # noqa: ARG002  # one signature for all
        self.is_stalled = True
        self.inbox.note("stalled", self.clock())
        with contextlib.suppress(OSError):
            if self._room is None:
                self._room = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(1, step.buffer // 2))  # Linux doubles it

    def _resume(self, step: kinds.Resume, deadline: float) -> None:  # noqa: ARG002  # one signature for all
        self.is_stalled = False
        self.inbox.note("resumed", self.clock())
        self.make_room()

    def make_room(self) -> None:
        """Let the kernel receive as much as before a stall or a rate.

        TCP keeps advertising a small window, however large its buffer is by then; a new bound (TCP_WINDOW_CLAMP,
        tcp(7)) makes it advertise more. Other sockets have no such option.
        """
        room, self._room = self._room, None
        if room is not None:
            with contextlib.suppress(OSError):
                size = room // 2 if platform == "linux" else room  # Linux reports twice the value that was set
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(1, size))
                if hasattr(socket, "TCP_WINDOW_CLAMP"):
                    self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, MOST_ROOM)

    acts: ClassVar[dict[type[Step], Callable[[Any, Any, float], None]]] = {
        kinds.Close: _close,
        kinds.Stall: _stall,
        kinds.Resume: _resume,
    }

    # --- waiting

    def wait(self, until: float, event: Waitable | None = None) -> None:
        """Wait until data comes, the event is set, or the time is `until`; may return earlier without a reason."""
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
        """Wait, and notice a reset that comes after the end."""
        is_in_doubt = self.inbox.has_eof and not self.inbox.was_reset and not self.is_closed
        self.sleep(min(seconds, SLICE) if is_in_doubt else seconds)
        if is_in_doubt:
            self.look_for_reset()

    def look_for_reset(self) -> None:
        """Process a reset that has come after the end of the stream."""
        if not self.inbox.has_eof or self.inbox.was_reset:
            return
        if abort.was_reset(self.sock):
            self.lost(ConnectionResetError())
        elif not self.has_half_closed:  # otherwise a mutual half-close would look like a close
            was_gone, self._has_hung_up = self._has_hung_up, abort.has_hung_up(self.sock)
            self.inbox.is_sealed = was_gone and self._has_hung_up  # seen twice: the error may come a moment later

    def rate_holds_back(self) -> bool:
        """Return whether reading now would be faster than `read_rate()` allows."""
        return self.may_read_at > 0.0 and self.may_read_at > self.clock()

    def may_read(self) -> bool:
        """Return whether arriving data would be read now."""
        return not (self.is_stalled or self.inbox.has_ended or self.rate_holds_back())

    def is_readable(self, seconds: float) -> bool:
        """Wait until there is something to read, for at most `seconds`; return whether there is. May be overridden."""
        if self.may_have_more:
            return True
        poll = select.poll()
        poll.register(self.sock.fileno(), select.POLLIN)
        return bool(poll.poll(milliseconds(seconds)))

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`. May be overridden."""
        sleep(capped(seconds))

    def take_in(self) -> bool:
        """Read once from a readable socket. Return whether anything has changed."""
        return self.read() is not None

    def read(self) -> bytes | None:
        """Receive data of one call into the inbox, and return it; b"" also for a lost connection, None for no data.

        Must be overridden where there is something to read.
        """
        raise NotImplementedError

    # --- ends

    def ended_as(self, outcome: str) -> None:
        """Set the outcome. What the other end did takes precedence over what this one did; a reset replaces all."""
        self.be_careful()
        is_ours = outcome in (Outcome.CLOSED, Outcome.TIMEOUT)
        if self.outcome == Outcome.OPEN or (not is_ours and self.outcome in (Outcome.TIMEOUT, Outcome.EOF)):
            self.outcome = outcome

    def lost(self, error: OSError) -> None:
        """Note that the connection is gone because of an error."""
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
