"""RecordMarking: the framing of Sun RPC on streams (RFC 5531, section 11)."""

from __future__ import annotations

from dataclasses import dataclass, field

from windsock.recording.cutter import SHOWN
from windsock.recording.errors import FramingError
from windsock.recording.framing import LIMIT, check_limit
from windsock.scripts.checks import MessageFraming

__all__ = ["RecordMarking"]


@dataclass(frozen=True, slots=True)
class RecordMarking(MessageFraming):
    """Messages are records of Sun RPC: one or more fragments, each behind its mark. Over datagrams: the datagram.

    `limit` is the most bytes of a record, with its marks.
    """

    limit: int = field(default=LIMIT, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        check_limit(self.limit)

    def __call__(self, data: bytes) -> int | None:
        """Return the size of the first record, as far as its marks have come, or None before its last one."""
        from windsock.protocols.record_marking import record_size
        from windsock.protocols.xdr import DecodeError

        try:
            return record_size(data, self.limit)
        except DecodeError as error:
            raise FramingError(self, data[:SHOWN], error.reason, value=0) from error

    def is_datagram(self, data: bytes) -> bool:  # noqa: ARG002  # as of every framing
        """Return True: every datagram is one message."""
        return True
