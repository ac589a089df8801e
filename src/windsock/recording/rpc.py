"""Sun RPC in recordings: what requests are as calls, with their replies, and both in words. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

from windsock.protocols.record_marking import RecordReader
from windsock.protocols.rpc_messages import (
    Accepted,
    AcceptStatus,
    Auth,
    Call,
    Denied,
    RejectStatus,
    Reply,
)
from windsock.protocols.rpc_words import decoded, message_in_words
from windsock.protocols.xdr import DecodeError
from windsock.recording.framing import LIMIT
from windsock.servers.rpc.procedures import Procedure

__all__ = ["Programs", "RecordedCall", "in_words", "programs_of", "recorded_call", "records_in", "reply_among"]

Programs: TypeAlias = Mapping[tuple[int, int], Mapping[int, Procedure]]
"""The procedures of programs, by program and version, and by their numbers."""


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
            raise self.error or DecodeError(4, "msg_type", 1, "a reply, where a call was expected")
        return self.call

    def __str__(self) -> str:
        known = (
            {}
            if self.type is None or self.call is None
            else {(self.program, self.version): {self.procedure: self.type}}
        )
        reply = f", {in_words(self.reply_data, known)}" if self.reply_data else ""
        words = in_words(self.data, known) if self.error is None else f"no RPC message ({self.error})"
        return f"{words}{reply}"


def recorded_call(
    data: bytes, reply_data: bytes, programs: Programs | None, ended: DecodeError | None = None
) -> RecordedCall:
    """Return a message and its reply as a call. `ended` says why a record has come in part only."""
    call, error = decoded(data) if ended is None else (None, ended)
    reply, reply_error = decoded(reply_data) if reply_data else (None, None)
    return RecordedCall(
        data,
        reply_data,
        call if isinstance(call, Call) else None,
        reply if isinstance(reply, Accepted | Denied) else None,
        error,
        reply_error,
        _procedure(call, programs or {}) if isinstance(call, Call) else None,
    )


def reply_among(own: Sequence[bytes], xid: bytes, others: Iterable[bytes] = ()) -> bytes:
    """Return the first message with the xid, of `own` or else of `others`; or else the first of `own`, or nothing."""
    found = next((each for each in chain(own, others) if each[:4] == xid), b"")
    return found or (own[0] if own else b"")


def _procedure(call: Call, programs: Programs) -> Procedure | None:
    return programs.get((call.program, call.version), {}).get(call.procedure)


def records_in(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the complete records of a stream with the offsets of their ends; where marks are wrong, the rest as one."""
    reader = RecordReader(LIMIT)
    reader.feed(stream)
    try:
        while (record := reader.next_record()) is not None:
            yield reader.offset, record
    except DecodeError:
        yield len(stream), stream[reader.offset :]


def programs_of(handler: Any) -> Programs:
    """Return the procedures of a handler class; none of a class that is not for Sun RPC."""
    procedures = getattr(handler, "procedures", None)
    if not procedures or not (hasattr(handler, "program") and hasattr(handler, "version")):
        return {}
    return {(handler.program, handler.version): procedures}


def in_words(data: bytes, programs: Programs) -> str:
    """Return what a message is in words, with the name of the procedure, if it is known."""
    message, _ = decoded(data)
    return message_in_words(data, _name(_procedure(message, programs)) if isinstance(message, Call) else "")


def _name(procedure: Procedure | None) -> str:
    return procedure.method if procedure is not None and procedure.number else ""
