"""Sun RPC as a protocol: records on streams, calls and replies, and the procedures of handlers by their names."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from windsock.protocols.protocol import LIMIT, Protocol

if TYPE_CHECKING:
    from windsock.protocols.rpc_messages import Message

__all__ = ["PROTOCOL", "Programs", "RPCProtocol"]

Programs: TypeAlias = Mapping[tuple[int, int], Mapping[int, Any]]
"""The procedures of programs, by program and version, and by their numbers: see `windsock.servers.rpc`."""


@dataclass(frozen=True, repr=False)
class RPCProtocol(Protocol):
    """Sun RPC. `programs` are the procedures that are known, `limit` the most bytes of a record, with its marks."""

    name = "rpc"
    title = "RPC"

    programs: Programs = field(default_factory=dict, hash=False)
    _: KW_ONLY
    limit: int = LIMIT

    def __repr__(self) -> str:
        return "RecordMarking()"

    def of_server(self, server: Any) -> Protocol:
        """Return the protocol with the procedures of the server's handler class, if that is one for Sun RPC."""
        handler: Any = getattr(server, "RequestHandlerClass", None)
        procedures = getattr(handler, "procedures", None)
        if not procedures or not (hasattr(handler, "program") and hasattr(handler, "version")):
            return self
        return RPCProtocol({(handler.program, handler.version): procedures}, limit=self.limit)

    def size(self, data: bytes) -> int | None:
        """Return the size of the first record, as far as its marks have come, or None before its last one."""
        from windsock.protocols.record_marking import record_size

        return record_size(data, self.limit)

    def body(self, data: bytes) -> bytes:
        """Return a message without record marks."""
        from windsock.protocols.record_marking import record_in

        return record_in(data)

    def decode(self, data: bytes) -> Message:
        """Return a call or a reply, with record marks or without."""
        from windsock.protocols.rpc_messages import decode_message

        return decode_message(self.body(data))

    def describe(self, message: Message) -> str:
        """Return what a message is, with the name of the procedure, if it is known."""
        from windsock.protocols.rpc_words import message_in_words

        return message_in_words(message, self._name_of(message))

    def request_key(self, data: bytes) -> Hashable:
        """Return the xid."""
        return self.body(data)[:4]

    def procedure_of(self, call: Any) -> Any:
        """Return the procedure that a call calls, or None."""
        return self.programs.get((call.program, call.version), {}).get(call.procedure)

    def _name_of(self, message: Any) -> str:
        procedure = self.procedure_of(message) if self.programs and hasattr(message, "procedure") else None
        return procedure.method if procedure is not None and procedure.number else ""


PROTOCOL = RPCProtocol()
