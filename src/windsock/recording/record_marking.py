"""RecordMarking: the framing of Sun RPC on streams (RFC 5531, section 11)."""

from __future__ import annotations

from windsock.protocols.rpc_protocol import RPCProtocol
from windsock.recording.framing import LIMIT, check_limit
from windsock.recording.protocol_framing import ProtocolFraming

__all__ = ["RecordMarking"]


class RecordMarking(ProtocolFraming):
    """Messages are records of Sun RPC: one or more fragments, each behind its mark. Over datagrams: the datagram.

    `limit` is the most bytes of a record, with its marks.
    """

    __slots__ = ()

    def __init__(self, *, limit: int = LIMIT) -> None:
        check_limit(limit)
        super().__init__(RPCProtocol(limit=limit))
