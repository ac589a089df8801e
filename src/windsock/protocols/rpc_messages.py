"""Messages of Sun RPC (ONC RPC version 2, RFC 5531): calls and replies as values, encoded and decoded. No I/O."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from windsock.protocols import xdr
from windsock.protocols.rpc_auth import AUTH_NONE, Auth, AuthFlavor, AuthSys, check_auth
from windsock.protocols.xdr import DecodeError, Decoder, Encoder

__all__ = [
    "AUTH_NONE",
    "RPC_VERSION",
    "AcceptStatus",
    "Accepted",
    "Auth",
    "AuthFlavor",
    "AuthStatus",
    "AuthSys",
    "Call",
    "Denied",
    "MalformedCall",
    "Message",
    "RejectStatus",
    "Reply",
    "decode_message",
]

RPC_VERSION = 2
CALL, REPLY = 0, 1
MSG_ACCEPTED, MSG_DENIED = 0, 1


class AcceptStatus(enum.IntEnum):
    """What became of an accepted call."""

    SUCCESS = 0
    PROG_UNAVAIL = 1
    PROG_MISMATCH = 2
    PROC_UNAVAIL = 3
    GARBAGE_ARGS = 4
    SYSTEM_ERR = 5


class RejectStatus(enum.IntEnum):
    """Why a call was denied."""

    RPC_MISMATCH = 0
    AUTH_ERROR = 1


class AuthStatus(enum.IntEnum):
    """Why authentication failed (AUTH_ERROR)."""

    AUTH_OK = 0
    AUTH_BADCRED = 1
    AUTH_REJECTEDCRED = 2
    AUTH_BADVERF = 3
    AUTH_REJECTEDVERF = 4
    AUTH_TOOWEAK = 5
    AUTH_INVALIDRESP = 6
    AUTH_FAILED = 7
    AUTH_KERB_GENERIC = 8
    AUTH_TIMEEXPIRE = 9
    AUTH_TKT_FILE = 10
    AUTH_DECODE = 11
    AUTH_NET_ADDR = 12
    RPCSEC_GSS_CREDPROBLEM = 13
    RPCSEC_GSS_CTXPROBLEM = 14


_ACCEPT_STATUS = xdr.Enum(AcceptStatus)
_REJECT_STATUS = xdr.Enum(RejectStatus)
_AUTH_STATUS = xdr.Enum(AuthStatus)
_HEADER = struct.Struct(">6I")
_CALL_OF_VERSION_2 = struct.pack(">2I", CALL, RPC_VERSION)
_SUCCESS = struct.pack(">5I", REPLY, MSG_ACCEPTED, AuthFlavor.NONE, 0, AcceptStatus.SUCCESS)
_NO_AUTH = bytes(16)
"""A credential and a verifier of AUTH_NONE, as most calls have them: they are recognized without being decoded."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a procedure; `arguments` are its encoded arguments."""

    xid: int
    program: int
    version: int
    procedure: int = 0
    arguments: bytes = b""
    credential: Auth = AUTH_NONE
    verifier: Auth = AUTH_NONE
    rpc_version: int = RPC_VERSION

    def encode(self) -> bytes:
        """Return the message. Raises EncodeError for a number that does not fit, and UsageError for no credential."""
        check_auth("credential", self.credential)
        check_auth("verifier", self.verifier)
        encoder = Encoder()
        numbers = (self.xid, CALL, self.rpc_version, self.program, self.version, self.procedure)
        xdr.UINT.write_many(encoder, numbers)
        self.credential.write(encoder)
        self.verifier.write(encoder)
        encoder.append(self.arguments)
        return encoder.data


@dataclass(frozen=True, slots=True)
class Accepted:
    """The reply to a call that was accepted; `result` is the encoded result of a SUCCESS.

    `low` and `high` are the versions that there are, in a PROG_MISMATCH.
    """

    xid: int
    status: AcceptStatus = AcceptStatus.SUCCESS
    result: bytes = b""
    low: int = 0
    high: int = 0
    verifier: Auth = AUTH_NONE

    def encode(self) -> bytes:
        """Return the message. Raises EncodeError for a number that does not fit."""
        if self.status == AcceptStatus.SUCCESS and self.verifier is AUTH_NONE:
            return xdr.UINT.encode(self.xid) + _SUCCESS + self.result
        encoder = Encoder()
        xdr.UINT.write_many(encoder, (self.xid, REPLY, MSG_ACCEPTED))
        self.verifier.write(encoder)
        encoder.put(_ACCEPT_STATUS, self.status)
        if self.status == AcceptStatus.PROG_MISMATCH:
            encoder.put(xdr.UINT, self.low).put(xdr.UINT, self.high)
        elif self.status == AcceptStatus.SUCCESS:
            encoder.append(self.result)
        return encoder.data


@dataclass(frozen=True, slots=True)
class Denied:
    """The reply to a call that was denied: RPC_MISMATCH with versions `low` to `high`, or AUTH_ERROR with `reason`."""

    xid: int
    status: RejectStatus
    reason: AuthStatus = AuthStatus.AUTH_OK
    low: int = RPC_VERSION
    high: int = RPC_VERSION

    def encode(self) -> bytes:
        """Return the message. Raises EncodeError for a number that does not fit."""
        encoder = Encoder()
        xdr.UINT.write_many(encoder, (self.xid, REPLY, MSG_DENIED))
        encoder.put(_REJECT_STATUS, self.status)
        if self.status == RejectStatus.RPC_MISMATCH:
            encoder.put(xdr.UINT, self.low).put(xdr.UINT, self.high)
        else:
            encoder.put(_AUTH_STATUS, self.reason)
        return encoder.data


Reply = Accepted | Denied
Message = Call | Accepted | Denied


class MalformedCall(DecodeError):
    """A call that can't be decoded, to which there is a reply all the same: `reply`."""

    def __init__(self, error: DecodeError, reply: Denied) -> None:
        self.reply = reply
        super().__init__(error.reason, offset=error.offset, type=error.type, value=error.value)


def decode_message(data: bytes) -> Message:
    """Return the call or the reply that the bytes are.

    Raises MalformedCall for a call that asks for a denial, such as one of another RPC version, and DecodeError for
    anything else that is no message.
    """
    if data[4:12] == _CALL_OF_VERSION_2 and data[24:40] == _NO_AUTH:
        xid, _, _, program, version, procedure = _HEADER.unpack_from(data)
        return Call(xid, program, version, procedure, bytes(data[40:]))
    decoder = Decoder(data)
    xid, kind = decoder.get(xdr.UINT), decoder.get(xdr.UINT)
    if kind == CALL:
        return _call(decoder, xid)
    if kind == REPLY:
        return _reply(decoder, xid)
    raise DecodeError(f"{kind} is neither a call (0) nor a reply (1)", offset=4, type="msg_type", value=kind)


def _call(decoder: Decoder, xid: int) -> Call:
    rpc_version = decoder.get(xdr.UINT)
    if rpc_version != RPC_VERSION:
        error = DecodeError(f"{rpc_version} is not {RPC_VERSION}", offset=8, type="rpcvers", value=rpc_version)
        raise MalformedCall(error, Denied(xid, RejectStatus.RPC_MISMATCH))
    program, version, procedure = (decoder.get(xdr.UINT) for _ in range(3))
    credential = _auth(decoder, xid, AuthStatus.AUTH_BADCRED)
    verifier = _auth(decoder, xid, AuthStatus.AUTH_BADVERF)
    return Call(xid, program, version, procedure, decoder.rest(), credential, verifier)


def _auth(decoder: Decoder, xid: int, reason: AuthStatus) -> Auth:
    """Take a credential or a verifier. Raises MalformedCall, with the reason for the caller, if there is none."""
    try:
        return Auth.read(decoder)
    except DecodeError as error:
        raise MalformedCall(error, Denied(xid, RejectStatus.AUTH_ERROR, reason)) from None


def _reply(decoder: Decoder, xid: int) -> Reply:
    status = decoder.get(xdr.UINT)
    if status > MSG_DENIED:
        raise DecodeError(f"{status} is neither accepted (0) nor denied (1)", offset=8, type="reply_stat", value=status)
    return _accepted(decoder, xid) if status == MSG_ACCEPTED else _denied(decoder, xid)


def _accepted(decoder: Decoder, xid: int) -> Accepted:
    verifier = Auth.read(decoder)
    status = decoder.get(_ACCEPT_STATUS)
    if status == AcceptStatus.SUCCESS:
        return Accepted(xid, status, decoder.rest(), verifier=verifier)
    low, high = _versions(decoder) if status == AcceptStatus.PROG_MISMATCH else (0, 0)
    decoder.done()
    return Accepted(xid, status, b"", low, high, verifier)


def _denied(decoder: Decoder, xid: int) -> Denied:
    status = decoder.get(_REJECT_STATUS)
    if status == RejectStatus.RPC_MISMATCH:
        made = Denied(xid, status, AuthStatus.AUTH_OK, *_versions(decoder))
    else:
        made = Denied(xid, status, decoder.get(_AUTH_STATUS))
    decoder.done()
    return made


def _versions(decoder: Decoder) -> tuple[int, int]:
    return decoder.get(xdr.UINT), decoder.get(xdr.UINT)
