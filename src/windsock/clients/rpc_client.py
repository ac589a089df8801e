"""A client of Sun RPC: calls procedures over streams and datagrams, and sends calls again over datagrams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Self, Unpack

from windsock.clients.client import ScriptedClient
from windsock.clients.connector import scripted_client
from windsock.errors import PeerError, UsageError, WaitTimeout, whole
from windsock.net.deadlines import is_over, within
from windsock.net.system import monotonic
from windsock.protocols.record_marking import RecordTooLong, mark_record, record_in, record_size
from windsock.protocols.rpc import check_numbers, check_type
from windsock.protocols.rpc_auth import AUTH_NONE, Auth, check_auth
from windsock.protocols.rpc_messages import Accepted, AcceptStatus, Call, Reply, decode_message
from windsock.protocols.rpc_words import called, status_in_words
from windsock.protocols.xdr import DecodeError, XDRType
from windsock.protocols.xdr.coding import shown
from windsock.recording.framing import LIMIT
from windsock.scripts import ScriptTimeout
from windsock.scripts.checks import MessageFraming, check_seconds
from windsock.servers.rpc.procedures import Procedure

if TYPE_CHECKING:
    from windsock.clients.connect_options import AddressKeywords

NOTHING: Any = type("Nothing", (), {"__repr__": lambda _: "NOTHING", "__slots__": ()})()
"""The arguments that were not passed: None may be a value."""

__all__ = ["CallFailed", "CallTimeout", "Program", "RPCClient", "rpc_client"]


class CallFailed(PeerError):
    """The reply to a call is another one than SUCCESS. `call`, `reply` and its `status` are the facts."""

    def __init__(self, call: Call, reply: Reply, name: str = "") -> None:
        self.call = call
        self.reply = reply
        self.status = reply.status
        self.name = name
        super().__init__(f"{_shown(call, name)}: {status_in_words(reply)}")

    def __reduce__(self) -> tuple[type[CallFailed], tuple[Call, Reply, str]]:
        return type(self), (self.call, self.reply, self.name)


class CallTimeout(WaitTimeout):
    """No reply to a call has come in time.

    `call` is the call, which was sent `sent` times; `others` are the xids of the replies that came meanwhile, and
    `unfinished` the bytes of a reply whose end did not come.
    """

    def __init__(
        self,
        call: Call,
        seconds: float,
        sent: int,
        others: tuple[int, ...],
        name: str = "",
        unfinished: bytes = b"",
    ) -> None:
        self.call = call
        self.seconds = seconds
        self.sent = sent
        self.others = others
        self.name = name
        self.unfinished = unfinished
        self.is_cut: bool = is_over()
        times = "" if sent == 1 else f"; it was sent {sent} times"
        stray = f"; replies to other xids came: {', '.join(map(str, others))}" if others else ""
        part = f"; what came is no whole record: {shown(unfinished)}" if unfinished else ""
        within = whole(seconds, is_cut=self.is_cut)
        super().__init__(f"{_shown(call, name)}: no reply within {within}{times}{stray}{part}")

    def __reduce__(self) -> tuple[type[CallTimeout], tuple[Call, float, int, tuple[int, ...], str, bytes]]:
        return type(self), (self.call, self.seconds, self.sent, self.others, self.name, self.unfinished)


@dataclass(frozen=True, slots=True)
class Program:
    """What a client calls: a program in one version, and the procedures whose types are known."""

    number: int
    version: int
    procedures: Mapping[int, Procedure] = field(default_factory=dict)

    @classmethod
    def of(cls, program: Any, version: int | None = None) -> Program:
        """Return a program by its numbers, or that of a handler class, with its types. Raises UsageError."""
        if version is None and all(hasattr(program, name) for name in ("program", "version", "procedures")):
            return cls(program.program, program.version, program.procedures)
        if version is None:
            raise UsageError(f"program={program!r}: expected a class of RPC handlers, or two numbers: program, version")
        check_numbers(program=program, version=version)
        return cls(program, version)

    def procedure(self, procedure: Any) -> tuple[int, Procedure | None]:
        """Return the number of a procedure, given by its number or its method's name, and its types, if known."""
        if isinstance(procedure, str):
            for number, each in self.procedures.items():
                if each.method == procedure:
                    return number, each
            known = ", ".join(each.method for each in self.procedures.values()) or "no names"
            raise UsageError(f"call({procedure!r}): there is no such procedure; known are {known}")
        check_numbers(procedure=procedure)
        return procedure, self.procedures.get(procedure)


class RPCClient:
    """Calls the procedures of a program: `client.call(1, [1, 2])`. Use it in a `with`, which closes it.

    `client` is the scripted client below, for steps of your own between the calls.
    """

    def __init__(
        self,
        client: ScriptedClient,
        program: Program,
        *,
        credential: Auth = AUTH_NONE,
        resend_every: float | None = 1.0,
    ) -> None:
        check_calls(credential, resend_every)
        self.client = client
        self.program = program
        self.credential = credential
        self.resend_every = resend_every
        self._xids = count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.client.__exit__(*exc_info)

    def close(self) -> None:
        """Close it."""
        self.client.close()

    def call(
        self,
        procedure: int | str,
        arguments: Any = NOTHING,
        *,
        args: XDRType[Any] | None = None,
        result: XDRType[Any] | None = None,
        timeout: float | None = None,
        xid: int | None = None,
    ) -> Any:
        """Call a procedure and return its result.

        For procedures of a handler class, also by their names, arguments and result are values; for others bytes, or
        values of the types `args` and `result`. The xid is a number from 1 on, unless it is given. Over datagrams the
        call is sent again, with the same xid, every `resend_every` seconds. Replies to other xids are left out.

        Raises CallFailed for a reply with another status than SUCCESS, CallTimeout without a reply in `timeout`
        seconds, DecodeError for one that can't be decoded, and ScriptMismatch if the connection ends.
        """
        __tracebackhide__ = True
        number, known = self.program.procedure(procedure)
        if known is not None:
            args, result = known.args if args is None else args, known.result if result is None else result
        for keyword, kind in (("args", args), ("result", result)):
            if kind is not None:
                check_type(f"call(..., {keyword}={kind!r})", kind)
        encoded = _encoded(arguments, args)
        xid = next(self._xids) if xid is None else xid
        call = Call(xid, self.program.number, self.program.version, number, encoded, self.credential)
        name = known.method if known is not None and number else ""
        reply = self._exchange(call, self.client.timeout if timeout is None else timeout, name)
        if not isinstance(reply, Accepted) or reply.status != AcceptStatus.SUCCESS:
            raise CallFailed(call, reply, name)
        return reply.result if result is None else result.decode(reply.result)

    def _exchange(self, call: Call, seconds: float, name: str) -> Reply:
        """Send a call, again if need be, and return the reply to it."""
        __tracebackhide__ = True
        check_seconds(f"call(timeout={seconds!r})", seconds)
        message = call.encode() if self.client.is_datagram else mark_record(call.encode())
        deadline = monotonic() + within(seconds)
        sent = 0
        others: list[int] = []
        taker = _Taker(call.xid)
        while sent == 0 or monotonic() < deadline:
            self.client.send(message)
            sent += 1
            reply = self._reply_by(self._time_of_resending(deadline), taker, others)
            if reply is not None:
                return reply
        raise CallTimeout(call, seconds, sent, tuple(others), name, taker.unfinished)

    def _time_of_resending(self, deadline: float) -> float:
        if self.resend_every is None or not self.client.is_datagram:
            return deadline
        return min(deadline, monotonic() + self.resend_every)

    def _reply_by(self, deadline: float, taker: _Taker, others: list[int]) -> Reply | None:
        """Return the reply to an xid; None if it has not come by then. Add the xids of other replies to `others`."""
        __tracebackhide__ = True
        while (left := deadline - monotonic()) > 0:
            try:
                self.client.expect(taker, timeout=round(left, 3) or 0.001)
            except ScriptTimeout:
                return None
            reply = _decoded(taker.message)
            if reply.xid == taker.xid:
                return reply
            others.append(reply.xid)
        return None


class _Taker(MessageFraming):
    """Takes one message, whatever it is, and keeps it."""

    def __init__(self, xid: int) -> None:
        self.xid = xid
        self.message = b""
        self.unfinished = b""
        """What has come of a message whose end has not."""

    def __call__(self, data: bytes) -> int | None:
        size = record_size(data, LIMIT)
        if size is not None and size > LIMIT:
            raise RecordTooLong(0, size, LIMIT, data)
        self.unfinished = data
        if size is not None and size <= len(data):
            self.message = record_in(data[:size])
            self.unfinished = b""
        return size

    def is_datagram(self, data: bytes) -> bool:
        self.message = bytes(data)
        return True

    def __repr__(self) -> str:
        return f"rpc.reply({self.xid})"


def rpc_client(
    address: Any,
    program: Any,
    version: int | None = None,
    *,
    credential: Auth = AUTH_NONE,
    resend_every: float | None = 1.0,
    **options: Unpack[AddressKeywords],
) -> RPCClient:
    """Connect to any address; return a client that calls procedures of Sun RPC. Use it in a `with`.

    `program` is a class of RPC handlers, whose types are then known, or a number, with `version`. `credential` is that
    of all calls. Over datagrams a call is sent again every `resend_every` seconds (None: never) until a reply comes.
    `options` are those of `windsock.scripted_client()`. Raises ConnectFailed.
    """
    found = Program.of(program, version)
    check_calls(credential, resend_every)
    return RPCClient(scripted_client(address, **options), found, credential=credential, resend_every=resend_every)


def check_calls(credential: object, resend_every: object) -> None:
    """Raise UsageError for a credential, or an interval of resending, that is none."""
    check_auth("credential", credential)
    if resend_every is not None:
        check_seconds(f"resend_every={resend_every!r}", resend_every)


def _encoded(arguments: Any, args: XDRType[Any] | None) -> bytes:
    if arguments is NOTHING:
        arguments = b"" if args is None else None
    if args is not None:
        return args.encode(arguments)
    if isinstance(arguments, bytes | bytearray | memoryview):
        return bytes(arguments)
    raise UsageError(f"call(..., {arguments!r}): expected bytes, or a value with its type: call(1, 7, args=xdr.INT)")


def _decoded(message: bytes) -> Reply:
    reply = decode_message(message)
    if isinstance(reply, Call):
        raise DecodeError("a call, where a reply was expected", offset=4, type="msg_type", value=0)
    return reply


def _shown(call: Call, name: str) -> str:
    return f"call {call.xid} {called(call.program, call.version, call.procedure, name)}"
