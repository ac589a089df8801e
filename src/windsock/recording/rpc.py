"""Requests of Sun RPC: what they are as calls, with their replies. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from windsock.protocols.rpc_messages import (
    Accepted,
    AcceptStatus,
    Auth,
    Call,
    Denied,
    Message,
    RejectStatus,
    Reply,
)
from windsock.protocols.rpc_protocol import RPCProtocol
from windsock.protocols.xdr import DecodeError
from windsock.servers.rpc.procedures import Procedure

__all__ = ["RecordedCall", "recorded_call"]


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A request as a call of Sun RPC, with the reply to it; see `RecordedRequest.rpc`.

    `data` is the message, `reply_data` its reply (empty: none), both without record marks. `call` and `reply` are what
    they are decoded; one that can't be decoded is None, and `error` or `reply_error` says why.
    """

    data: bytes
    reply_data: bytes = b""
    call: Call | None = None
    reply: Reply | None = None
    error: DecodeError | None = None
    reply_error: DecodeError | None = None
    type: Procedure | None = None
    """The procedure, if the server's handler has it."""

    @property
    def xid(self) -> int:
        """The number that a call and its reply have in common."""
        return self._call.xid

    @property
    def program(self) -> int:
        """The number of the program. Raises `error` for what is no call, as all these do."""
        return self._call.program

    @property
    def version(self) -> int:
        """The version of the program."""
        return self._call.version

    @property
    def procedure(self) -> int:
        """The number of the procedure."""
        return self._call.procedure

    @property
    def credential(self) -> Auth:
        """The credential; `AuthSys.of()` reads it."""
        return self._call.credential

    @property
    def arguments(self) -> Any:
        """The arguments: decoded, if the server's handler has the procedure, otherwise bytes; `call` has the bytes."""
        return self._call.arguments if self.type is None else self.type.args.decode(self._call.arguments)

    @property
    def status(self) -> AcceptStatus | RejectStatus | None:
        """The status of the reply; None without one."""
        if self.reply_error is not None:
            raise self.reply_error
        return None if self.reply is None else self.reply.status

    @property
    def result(self) -> Any:
        """The result: as `arguments` are; None unless the status is SUCCESS."""
        if self.status != AcceptStatus.SUCCESS or not isinstance(self.reply, Accepted):
            return None
        return self.reply.result if self.type is None else self.type.result.decode(self.reply.result)

    @property
    def _call(self) -> Call:
        if self.call is None:
            raise self.error or DecodeError("a reply, where a call was expected", offset=4, type="msg_type", value=1)
        return self.call

    def __str__(self) -> str:
        known = {} if self.type is None else {(self.program, self.version): {self.procedure: self.type}}
        protocol = RPCProtocol(known)
        words = protocol.in_words(self.data)[0] if self.error is None else f"no RPC message ({self.error})"
        return f"{words}, {protocol.in_words(self.reply_data)[0]}" if self.reply_data else words


def recorded_call(
    data: bytes, reply_data: bytes, protocol: RPCProtocol, ended: DecodeError | None = None
) -> RecordedCall:
    """Return a message and its reply, without record marks, as a call. `ended` says why a record came in part only."""
    call, error = _decoded(data, protocol) if ended is None else (None, ended)
    reply, reply_error = _decoded(reply_data, protocol) if reply_data else (None, None)
    return RecordedCall(
        data,
        reply_data,
        call if isinstance(call, Call) else None,
        reply if isinstance(reply, Accepted | Denied) else None,
        error,
        reply_error,
        protocol.procedure_of(call) if isinstance(call, Call) else None,
    )


def _decoded(data: bytes, protocol: RPCProtocol) -> tuple[Message | None, DecodeError | None]:
    """Return the message that the bytes are, or why they are none."""
    try:
        return protocol.decode(data), None
    except DecodeError as error:
        return None, error
