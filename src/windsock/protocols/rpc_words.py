"""Messages of Sun RPC in words: `call 7 program 100003 v3 NULL`, `reply 7 SUCCESS`. No I/O."""

from __future__ import annotations

from windsock.protocols.rpc_messages import AcceptStatus, Call, Denied, Message, RejectStatus, Reply

__all__ = ["called", "message_in_words", "status_in_words"]


def message_in_words(message: Message, name: str = "") -> str:
    """Return what a message is. `name` is that of the procedure, if it is known."""
    if isinstance(message, Call):
        return f"call {message.xid} {called(message.program, message.version, message.procedure, name)}"
    return f"reply {message.xid} {status_in_words(message)}"


def called(program: int, version: int, procedure: int, name: str = "") -> str:
    """Return what a call calls: `program 100003 v3 NULL`."""
    default = f"procedure {procedure}" if procedure else "NULL"
    return f"program {program} v{version} {name or default}"


def status_in_words(reply: Reply) -> str:
    """Return the status of a reply with what belongs to it: `PROG_MISMATCH 2 to 4`, `AUTH_ERROR AUTH_TOOWEAK`."""
    mismatch: int = AcceptStatus.PROG_MISMATCH
    if isinstance(reply, Denied):
        mismatch = RejectStatus.RPC_MISMATCH
        if reply.status != mismatch:
            return f"{reply.status.name} {reply.reason.name}"
    return f"{reply.status.name} {reply.low} to {reply.high}" if reply.status == mismatch else reply.status.name
