"""One end of a conversation, over a socket of any kind: does what a script says, and fills its inbox."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any, ClassVar

from windsock.endpoints.outcomes import Outcome, outcome_of
from windsock.errors import UsageError
from windsock.net import abort
from windsock.net.deadlines import capped, milliseconds
from windsock.net.system import monotonic, os, select, sleep, socket
from windsock.scripts import Inbox
from windsock.scripts import steps as kinds
from windsock.scripts.repr import sketch
from windsock.scripts.steps import Step, Waitable

__all__ = ["CHUNK", "DONTWAIT", "SLICE", "Endpoint"]

CHUNK = 64 * 1024
"""The most bytes that one read takes."""
DONTWAIT = int(getattr(socket, "MSG_DONTWAIT", 0))
"""Have one call not wait, where there is such a flag. A plain number: one of an enum costs more than the call."""
MOST_ROOM = 1024 * 1024
"""Bytes that TCP may promise to take in, once it need not be small any more."""
SLICE = 0.01
"""Seconds between two looks at what can't wake us: an event, or a reset after the end of the stream."""


class Endpoint:
    """The base of stream and datagram endpoints. `outcome` says what became of it; `clock` gives the time of its inbox.

    Hooks that a subclass may override, for sockets that must be waited for in another way: `is_readable`, `sleep`.
    """

    def __init__(self, sock: Any, inbox: Inbox, *, clock: Callable[[], float] = monotonic) -> None:
        self.sock = sock
        self._process_id = os.getpid()
        self.inbox = inbox
        self.clock = clock
        self.is_stalled = False
        self.is_closed = False
        self.has_half_closed = False
        self.is_gone = False
        """True if the latest datagram found no listener."""
        self.outcome: str = Outcome.OPEN
        self.is_layered = hasattr(sock, "pending")
        """Whether there is TLS: what is readable may be half of a record, or two of them."""
        self.is_plain = not self.is_layered
        """Whether nothing has happened that changes how to send and read: there is a short way then."""
        self.may_have_more = False
        """Whether a layer, such as TLS, may hold bytes that the kernel does not know of any more."""
        self._has_hung_up = False
        self._rate: float | None = None
        self._room: int | None = None
        """The kernel's buffer (bytes) before a stall or a rate made it small."""
        self.may_read_at = 0.0

    def be_careful(self) -> None:
        """Take the long way from here on. May be extended (call super)."""
        self.is_plain = False

    # --- acts

    def act(self, step: Step, deadline: float) -> None:
        """Do what a step says. Raises TimeoutError when it is not done at the deadline."""
        self.check_open(step.text)
        self.be_careful()
        self.acts[type(step)](self, step, deadline)

    def check_open(self, what: str) -> None:
        """Raise UsageError if this end has been closed, by the script itself."""
        if self.is_closed:
            raise UsageError(f"{what}: this end has been closed before; end the script there, or connect anew")

    def check_may_send(self, data: bytes, *, is_urgent: bool = False) -> None:
        """Raise UsageError if this can't be sent, by the script's own doing. May be extended (call super)."""
        if self.is_closed:
            self.check_open(f"{'urgent' if is_urgent else 'send'}({sketch(data)})")

    def close(self) -> None:
        """Close it. What it is called then is what the other end did before, if that has ended it."""
        self.is_closed = True
        self.inbox.note("closed", self.clock())
        self.ended_as(Outcome.CLOSED)
        with contextlib.suppress(OSError):
            if self._process_id == os.getpid() and not self.inbox.is_datagram:
                abort.close(self.sock)
            else:  # a forked child gives its copy back, without a word: the connection goes on
                abort.kernel_socket(self.sock).close()

    def _close(self, step: kinds.Close, deadline: float) -> None:  # noqa: ARG002  # as every act
        self.close()

    def _stall(self, step: kinds.Stall, deadline: float) -> None:  # noqa: ARG002  # as every act
        self.is_stalled = True
        self.inbox.note("stalled", self.clock())
        with contextlib.suppress(OSError):
            if self._room is None:
                self._room = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(1, step.buffer // 2))  # Linux doubles it

    def _resume(self, step: kinds.Resume, deadline: float) -> None:  # noqa: ARG002  # as every act
        self.is_stalled = False
        self.inbox.note("resumed", self.clock())
        self.make_room()

    def make_room(self) -> None:
        """Let the kernel take in as much as before a stall or a rate.

        A TCP that has promised little goes on so, however large its buffer is by then: a new bound for the window
        (TCP_WINDOW_CLAMP, tcp(7)) has it promise more. Any other socket has no such option.
        """
        room, self._room = self._room, None
        if room is not None:
            with contextlib.suppress(OSError):
                size = room // 2 if sys.platform == "linux" else room  # Linux tells of twice what it was given
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
        if not self.inbox.has_eof or self.inbox.was_reset:
            return
        if abort.was_reset(self.sock):
            self.lost(ConnectionResetError())
        elif not self.has_half_closed:  # or it looks as if the other end were gone when it has half-closed, too
            was_gone, self._has_hung_up = self._has_hung_up, abort.has_hung_up(self.sock)
            self.inbox.is_sealed = was_gone and self._has_hung_up  # seen twice: the error may come a moment later

    def rate_holds_back(self) -> bool:
        """Return whether nothing may be read now, for it would be faster than `read_rate()` says."""
        return self.may_read_at > 0.0 and self.may_read_at > self.clock()

    def may_read(self) -> bool:
        """Return whether what comes would be read now."""
        return not (self.is_stalled or self.inbox.has_ended or self.rate_holds_back())

    def is_readable(self, seconds: float) -> bool:
        """Wait until there is something to read. May be overridden."""
        if self.may_have_more:
            return True
        poll = select.poll()
        poll.register(self.sock.fileno(), select.POLLIN)
        return bool(poll.poll(milliseconds(seconds)))

    def sleep(self, seconds: float) -> None:
        """Let time pass. May be overridden."""
        sleep(capped(seconds))

    def take_in(self) -> bool:
        """Read once, from a socket that is readable. Return whether something has changed."""
        return self.read() is not None

    def read(self) -> bytes | None:
        """Take in what one call of the socket gives, and return it; b"" also for a loss, None if nothing has come.

        Must be overridden where there is something to read.
        """
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
