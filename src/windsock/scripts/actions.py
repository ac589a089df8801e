"""Steps that act or let time pass: sending, reading, TLS, ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from windsock.errors import UsageError
from windsock.protocols.values import message_in
from windsock.scripts.bodies import Body, Data, as_body, parts_of
from windsock.scripts.bound_function import BoundFunction, bound_function
from windsock.scripts.checks import check_count, check_seconds, checked_bytes
from windsock.scripts.conversation import Conversation
from windsock.scripts.repr import code_of
from windsock.scripts.step import Argument, Step, Waitable
from windsock.scripts.template import Template

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
    "StepData",
    "StopTLS",
    "Urgent",
    "WaitFor",
    "checked_data",
    "made_of",
]

StepData: TypeAlias = Data | Template | Callable[..., Data | Template | None]
"""What a step can send: data, or what makes it of what was taken before."""
READ_BUFFER = 2048
"""The default kernel buffer of a stalled reader, in bytes: the least that Linux accepts is 2304."""


@dataclass(frozen=True, slots=True, repr=False)
class Send(Step):
    """Send bytes: at once, or in `pieces` (their number or their sizes), one every `every` seconds.

    Or a Body, a Template, or the result of a function of what was taken before.
    """

    method = "send"
    takes_timeout = True
    data: bytes | Body | Template | BoundFunction
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
        object.__setattr__(self, "data", checked_data("send", self.data))
        if isinstance(self.pieces, list):
            object.__setattr__(self, "pieces", tuple(self.pieces))
        if self.pieces is not None:
            _check_pieces(self.pieces, len(self.data) if isinstance(self.data, bytes) else None)
        check_seconds(f"send(every={self.every!r})", self.every, or_none=True)
        if self.every and self.pieces is None and isinstance(self.data, bytes):
            object.__setattr__(self, "pieces", max(1, len(self.data)))
        if isinstance(self.data, Body) and (self.pieces is not None or self.every):
            raise UsageError(f"{self.text}: pieces= and every= are for bytes; this is sent in parts of its own")

    def misfit(self, kind: str) -> str:
        """Return why it cannot be sent: an empty message can be sent only as a datagram."""
        if isinstance(self.data, Body):
            is_misfit = self.data.is_for not in ("", kind)
            return f"a {kind} has an end; send bytes, or several {kind}s in a list" if is_misfit else ""
        if self.data or kind == "datagram":
            return ""
        if kind == "record":
            return "an empty record looks like the end of the connection to its receiver; send 1 byte or more"
        return "an empty message can be sent only as a datagram; on a stream it sends nothing"

    def arguments(self) -> list[Argument]:
        """Return the arguments that create it."""
        given = Step.arguments(self)
        return given if self.message is None else [("", self.message), *given[1:]]

    def parts(self, where: str, conversation: Conversation) -> Iterator[bytes]:
        """Return the parts to send, one by one. Raises UsageError for what cannot be sent."""
        data = self.data
        if not isinstance(data, bytes | Body):
            data = made_of(where, data, conversation)
        if isinstance(data, bytes):
            return iter(self._cut(data))
        if self.pieces is not None or self.every:
            raise UsageError(f"{where}: the function returned {data!r}; pieces= and every= are for bytes")
        return parts_of(data)

    def _cut(self, data: bytes) -> list[bytes]:
        """Return the pieces of these bytes."""
        if self.pieces is None and not self.every:
            return [data]
        if isinstance(self.pieces, tuple):
            edges = [0, *itertools.accumulate(self.pieces)]
            if edges[-1] < len(data):
                edges.append(len(data))
        else:
            count = min(self.pieces or len(data), len(data)) or 1
            edges = [len(data) * number // count for number in range(count + 1)]
        return [data[start:end] for start, end in itertools.pairwise(edges)]


def made_of(where: str, data: Template | BoundFunction, conversation: Conversation) -> bytes | Body:
    """Return what a template or a function gives to send; b"" for None."""
    if isinstance(data, Template):
        return data.filled(where, conversation)
    made = data.result(where, conversation)
    if made is None:
        return b""
    body = made.filled(where, conversation) if isinstance(made, Template) else as_body(where, made)
    if body is None:
        raise UsageError(f"{where}: the function returned {made!r}; expected bytes, several of them, a file, or None")
    return body


def checked_data(method: str, data: Any) -> bytes | Body | Template | BoundFunction:
    """Return what can be sent. Raises UsageError for anything else."""
    if isinstance(data, bytes | Template | BoundFunction):
        return bytes(data) if isinstance(data, bytes) else data
    where = f"{method}({code_of(data)})"
    body = as_body(where, data)
    if body is not None:
        return body
    if callable(data):
        return bound_function(where, data)
    return checked_bytes(method, data)


def _check_pieces(pieces: object, size: int | None) -> None:
    sizes = pieces if isinstance(pieces, tuple) else (pieces,)
    for each in sizes or (0,):
        if not isinstance(each, int) or isinstance(each, bool) or each < 1:
            raise UsageError(f"send(pieces={pieces!r}): expected a number of pieces, 1 or more, or a list of sizes")
    if isinstance(pieces, tuple) and size is not None and sum(pieces) > size:
        raise UsageError(f"send(pieces={pieces!r}): {sum(pieces)} bytes in all, but there are {size} to send")


@dataclass(frozen=True, slots=True, repr=False)
class Urgent(Step):
    """Send bytes, the last of which is out-of-band (MSG_OOB, RFC 6093)."""

    method = "urgent"
    is_for = "stream"
    is_for_bytes = True
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
    is_for_bytes = True
    bytes_per_second: float | None

    def _check(self) -> None:
        if self.bytes_per_second is not None:
            check_seconds(f"read_rate({self.bytes_per_second!r})", self.bytes_per_second, unit="bytes a second")


@dataclass(frozen=True, slots=True, repr=False)
class StartTLS(Step):
    """Start TLS, as the client or the server."""

    method = "start_tls"
    is_for = "stream"
    is_for_bytes = True
    takes_timeout = True
    _: KW_ONLY
    context: ssl.SSLContext | None = None
    server_hostname: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class StopTLS(Step):
    """End TLS both ways, and continue unencrypted: send close_notify, and wait for the other end's."""

    method = "stop_tls"
    is_for = "stream"
    is_for_bytes = True
    takes_timeout = True
