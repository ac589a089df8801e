"""What tests say of Sun RPC: `rpc.call(100003, 3, 0)` and `rpc.reply(7)` match messages, `rpc.success()` answers calls.

Messages may be datagrams, or records with their marks. No I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from windsock.errors import UsageError
from windsock.protocols import xdr
from windsock.protocols.message_pattern import MessagePattern
from windsock.protocols.record_marking import mark_record, record_in
from windsock.protocols.rpc_messages import (
    Accepted,
    AcceptStatus,
    AuthStatus,
    Call,
    Denied,
    Message,
    RejectStatus,
    Reply,
)
from windsock.protocols.rpc_protocol import PROTOCOL
from windsock.protocols.values import MessageAnswer
from windsock.protocols.xdr import XDRType
from windsock.protocols.xdr.coding import shown

__all__ = [
    "CallPattern",
    "RPCAnswer",
    "ReplyPattern",
    "auth_error",
    "call",
    "check_numbers",
    "check_type",
    "garbage_args",
    "proc_unavail",
    "prog_mismatch",
    "prog_unavail",
    "reply",
    "rpc_mismatch",
    "success",
    "system_err",
]


# --- patterns


@dataclass(frozen=True, slots=True, repr=False)
class CallPattern(MessagePattern):
    """Matches calls; see `call()`."""

    protocol = PROTOCOL
    program: int
    version: int | None = None
    procedure: int | None = None
    xid: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_numbers(**dict(self._given()))

    def matches(self, message: Message) -> bool:
        """Return whether a message is such a call."""
        return isinstance(message, Call) and all(getattr(message, name) == value for name, value in self._given())

    def __repr__(self) -> str:
        return f"rpc.call({', '.join(_arguments(self))})"

    def _given(self) -> Iterator[tuple[str, int]]:
        return ((each.name, value) for each in fields(self) if (value := getattr(self, each.name)) is not None)


@dataclass(frozen=True, slots=True, repr=False)
class ReplyPattern(MessagePattern):
    """Matches replies; see `reply()`."""

    protocol = PROTOCOL
    xid: int | None = None
    status: AcceptStatus | RejectStatus | None = None

    def __post_init__(self) -> None:
        if self.xid is not None:
            check_numbers(xid=self.xid)
        if self.status is not None:
            _check_member("status", self.status, AcceptStatus, RejectStatus)

    def matches(self, message: Message) -> bool:
        """Return whether a message is such a reply."""
        if not isinstance(message, Accepted | Denied) or self.xid not in (None, message.xid):
            return False
        return self.status is None or message.status is self.status

    def __repr__(self) -> str:
        return f"rpc.reply({', '.join(_arguments(self))})"


def call(
    program: int, version: int | None = None, procedure: int | None = None, *, xid: int | None = None
) -> CallPattern:
    """Return a pattern for calls of a program, of all its versions and procedures where these are left out.

    For `server.on()`, and wherever a predicate of a message is taken: `match=` of faults, `expect()` over datagrams.
    """
    return CallPattern(program, version, procedure, xid=xid)


def reply(xid: int | None = None, status: AcceptStatus | RejectStatus | None = None) -> ReplyPattern:
    """Return a pattern for replies, to the call with this xid, with this status; the rest is as with `call()`."""
    return ReplyPattern(xid, status)


# --- answers


@dataclass(frozen=True, slots=True, repr=False)
class RPCAnswer(MessageAnswer):
    """Makes the reply to a call: it takes the call's xid, and has record marks if the call has them.

    With `xid` it takes that one instead, which is wrong on purpose.
    """

    reply: Reply
    xid: int | None = None

    def __post_init__(self) -> None:
        if self.xid is not None:
            check_numbers(xid=self.xid)

    def __call__(self, message: bytes) -> bytes:
        """Return the reply to a message. Raises DecodeError for one that has no xid."""
        record = record_in(message)
        xid = xdr.UINT.decode(record[:4]) if self.xid is None else self.xid
        made = replace(self.reply, xid=xid).encode()
        return made if record == message else mark_record(made)

    def __repr__(self) -> str:
        with_xid = () if self.xid is None else (f"xid={self.xid}",)
        return f"rpc.{self.reply.status.name.lower()}({', '.join((*self._values(), *with_xid))})"

    def _values(self) -> tuple[str, ...]:
        """Return what the function that made it was given, as a test would write it."""
        given = self.reply
        if isinstance(given, Denied) and given.status == RejectStatus.AUTH_ERROR:
            return (f"AuthStatus.{given.reason.name}",)
        if isinstance(given, Denied) or given.status == AcceptStatus.PROG_MISMATCH:
            return (str(given.low), str(given.high))
        return (shown(given.result),) if given.result else ()


def success(result: Any = b"", type: XDRType[Any] | None = None, *, xid: int | None = None) -> RPCAnswer:
    """Return an answer with a result: bytes that are encoded already, or a value of an XDR type."""
    if type is None and not isinstance(result, bytes | bytearray | memoryview):
        raise UsageError(f"rpc.success({result!r}): expected bytes, or a value with its type: success(7, xdr.INT)")
    if type is not None:
        check_type(f"rpc.success({result!r}, {type!r})", type)
    encoded = bytes(result) if type is None else type.encode(result)
    return RPCAnswer(Accepted(0, result=encoded), xid)


def prog_unavail() -> RPCAnswer:
    """Return the answer of a server that has not the program."""
    return _failure(AcceptStatus.PROG_UNAVAIL)


def prog_mismatch(low: int, high: int) -> RPCAnswer:
    """Return the answer of a server that has the program in versions `low` to `high`."""
    check_numbers(low=low, high=high)
    return RPCAnswer(Accepted(0, AcceptStatus.PROG_MISMATCH, low=low, high=high))


def proc_unavail() -> RPCAnswer:
    """Return the answer of a program that has not the procedure."""
    return _failure(AcceptStatus.PROC_UNAVAIL)


def garbage_args() -> RPCAnswer:
    """Return the answer to arguments that can't be decoded."""
    return _failure(AcceptStatus.GARBAGE_ARGS)


def system_err() -> RPCAnswer:
    """Return the answer of a procedure that failed."""
    return _failure(AcceptStatus.SYSTEM_ERR)


def rpc_mismatch(low: int = 2, high: int = 2) -> RPCAnswer:
    """Return the answer of a server that speaks versions `low` to `high` of RPC."""
    check_numbers(low=low, high=high)
    return RPCAnswer(Denied(0, RejectStatus.RPC_MISMATCH, low=low, high=high))


def auth_error(reason: AuthStatus) -> RPCAnswer:
    """Return the answer to a credential that is refused."""
    _check_member("reason", reason, AuthStatus)
    return RPCAnswer(Denied(0, RejectStatus.AUTH_ERROR, reason))


def _failure(status: AcceptStatus) -> RPCAnswer:
    return RPCAnswer(Accepted(0, status))


# --- checks


def check_numbers(**numbers: Any) -> None:
    """Raise UsageError for a number of a program, a version or a procedure that no call can name."""
    for name, number in numbers.items():
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= 0xFFFFFFFF:
            raise UsageError(f"{name} = {number!r}: expected a number from 0 to 4294967295")


def check_type(where: str, kind: object) -> None:
    """Raise UsageError for what is no XDR type."""
    if not isinstance(kind, XDRType):
        raise UsageError(f"{where}: expected an XDR type, such as xdr.INT")


def _check_member(name: str, value: object, *kinds: type[enum.IntEnum]) -> None:
    """Raise UsageError for what is no member of the enums."""
    if not isinstance(value, kinds):
        names = " or ".join(f"{kind.__name__}.{list(kind)[1].name}" for kind in kinds)
        raise UsageError(f"{name}={value!r}: expected a member of an enum, such as {names}")


def _arguments(pattern: CallPattern | ReplyPattern) -> Iterator[str]:
    """Give the arguments that were passed, as a test would write them."""
    by_position = True
    for each in fields(pattern):
        value = getattr(pattern, each.name)
        by_position &= value is not None and not each.kw_only
        if value is not None:
            written = f"{type(value).__name__}.{value.name}" if isinstance(value, enum.Enum) else repr(value)
            yield written if by_position else f"{each.name}={written}"
