"""Steps that act or let time pass: sending, reading, TLS, ends."""

from __future__ import annotations

import itertools
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

from windsock.errors import UsageError
from windsock.protocols.values import message_in
from windsock.scripts.checks import check_count, check_seconds, checked_bytes
from windsock.scripts.step import Argument, Step, Waitable

if TYPE_CHECKING:
    import ssl

__all__ = [
    "READ_BUFFER",
    "Close",
    "HalfClose",
    "Pause",
    "ReadRate",
    "Reset",
    "Resume",
    "Send",
    "Stall",
    "StartTLS",
    "StopTLS",
    "Urgent",
    "WaitFor",
]

READ_BUFFER = 2048
"""The default kernel buffer of a stalled reader, in bytes: the least that Linux accepts is 2304."""


@dataclass(frozen=True, slots=True, repr=False)
class Send(Step):
    """Send bytes: at once, or in `pieces` (their number or their sizes), one every `every` seconds."""

    method = "send"
    takes_timeout = True
    data: bytes
    message: object = field(default=None, init=False, compare=False)
    """The message of a protocol that the data was made from, if any."""
    _: KW_ONLY
    pieces: int | tuple[int, ...] | None = None
    every: float = 0.0

    def __post_init__(self) -> None:
        if type(self.data) is not bytes or self.pieces is not None or self.every != 0.0 or self.timeout is not None:
            self._check()
            self._check_timeout()

    def _check(self) -> None:
        object.__setattr__(self, "message", message_in(self.data))
        object.__setattr__(self, "data", checked_bytes("send", self.data))
        if isinstance(self.pieces, list):
            object.__setattr__(self, "pieces", tuple(self.pieces))
        if self.pieces is not None:
            _check_pieces(self.pieces, len(self.data))
        check_seconds(f"send(every={self.every!r})", self.every, or_none=True)
        if self.every and self.pieces is None:
            object.__setattr__(self, "pieces", max(1, len(self.data)))

    def misfit(self, kind: str) -> str:
        """Return why it cannot be sent: an empty message can be sent only as a datagram."""
        if self.data or kind == "datagram":
            return ""
        return "an empty message can be sent only as a datagram; on a stream it sends nothing"

    def arguments(self) -> list[Argument]:
        """Return the arguments that create it."""
        given = Step.arguments(self)
        return given if self.message is None else [("", self.message), *given[1:]]

    def cut(self) -> list[bytes]:
        """Return the pieces to send."""
        if self.pieces is None:
            return [self.data]
        if isinstance(self.pieces, int):
            count = min(self.pieces, len(self.data)) or 1
            edges = [len(self.data) * number // count for number in range(count + 1)]
        else:
            edges = [0, *itertools.accumulate(self.pieces)]
            if edges[-1] < len(self.data):
                edges.append(len(self.data))
        return [self.data[start:end] for start, end in itertools.pairwise(edges)]


def _check_pieces(pieces: object, size: int) -> None:
    sizes = pieces if isinstance(pieces, tuple) else (pieces,)
    for each in sizes or (0,):
        if not isinstance(each, int) or isinstance(each, bool) or each < 1:
            raise UsageError(f"send(pieces={pieces!r}): expected a number of pieces, 1 or more, or a list of sizes")
    if isinstance(pieces, tuple) and sum(pieces) > size:
        raise UsageError(f"send(pieces={pieces!r}): {sum(pieces)} bytes in all, but there are {size} to send")


@dataclass(frozen=True, slots=True, repr=False)
class Urgent(Step):
    """Send bytes, the last of which is out-of-band (MSG_OOB, RFC 6093)."""

    method = "urgent"
    is_for = "stream"
    data: bytes

    def _check(self) -> None:
        object.__setattr__(self, "data", checked_bytes("urgent", self.data))
        if not self.data:
            raise UsageError("urgent(b''): urgent data needs at least one byte")


@dataclass(frozen=True, slots=True, repr=False)
class Pause(Step):
    """Do nothing for `seconds`. Bytes that arrive meanwhile are read, but not examined."""

    method = "pause"
    seconds: float

    def _check(self) -> None:
        check_seconds(f"pause({self.seconds!r})", self.seconds, or_none=True)


@dataclass(frozen=True, slots=True, repr=False)
class WaitFor(Step):
    """Wait until an event is set: an object with `is_set()` and `wait()`."""

    method = "wait_for"
    takes_timeout = True
    is_restful = False  # waiting takes no time once the event is set
    event: Waitable

    def _check(self) -> None:
        if not callable(getattr(self.event, "is_set", None)) or not callable(getattr(self.event, "wait", None)):
            raise UsageError(f"wait_for({self.event!r}): expected an event, such as threading.Event()")


@dataclass(frozen=True, slots=True, repr=False)
class HalfClose(Step):
    """End sending (FIN, shutdown(2) with SHUT_WR); continue to read."""

    method = "half_close"
    is_for = "stream"


@dataclass(frozen=True, slots=True, repr=False)
class Close(Step):
    """Close the connection. If the kernel holds unread bytes, the other end sees a reset."""

    method = "close"


@dataclass(frozen=True, slots=True, repr=False)
class Reset(Step):
    """Reset the connection at once, even if others have it open. `flush`: first wait until sent data is taken."""

    method = "reset"
    is_for = "stream"
    takes_timeout = True
    _: KW_ONLY
    flush: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Stall(Step):
    """Stop reading. `buffer`: bytes that the kernel may receive meanwhile; a small number, so the other end notices."""

    method = "stall"
    _: KW_ONLY
    buffer: int = READ_BUFFER

    def _check(self) -> None:
        check_count(f"stall(buffer={self.buffer!r})", self.buffer)


@dataclass(frozen=True, slots=True, repr=False)
class Resume(Step):
    """Read again after `stall()`."""

    method = "resume"


@dataclass(frozen=True, slots=True, repr=False)
class ReadRate(Step):
    """Read at most `bytes_per_second` from now on; None: no limit."""

    method = "read_rate"
    is_for = "stream"
    bytes_per_second: float | None

    def _check(self) -> None:
        if self.bytes_per_second is not None:
            check_seconds(f"read_rate({self.bytes_per_second!r})", self.bytes_per_second, unit="bytes a second")


@dataclass(frozen=True, slots=True, repr=False)
class StartTLS(Step):
    """Start TLS, as the client or the server."""

    method = "start_tls"
    is_for = "stream"
    takes_timeout = True
    _: KW_ONLY
    context: ssl.SSLContext | None = None
    server_hostname: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class StopTLS(Step):
    """End TLS both ways, and continue unencrypted: send close_notify, and wait for the other end's."""

    method = "stop_tls"
    is_for = "stream"
    takes_timeout = True
