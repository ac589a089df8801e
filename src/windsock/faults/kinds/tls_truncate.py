"""TLSTruncate: the stream ends without close_notify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import optional_count
from windsock.faults.fault import HANDSHAKE, Fault
from windsock.faults.stages import Stage

__all__ = ["TLSTruncate"]


@dataclass(frozen=True, slots=True, repr=False)
class TLSTruncate(Fault):
    """The server ends the stream without ending TLS (close_notify, RFC 8446, section 6.1).

    In place of the server's own normal end, or once it has sent `after_bytes` of plaintext.
    """

    chain_stage: ClassVar[Stage] = Stage.HANDSHAKE
    chain_order: ClassVar[int] = 40
    applies_to: ClassVar[frozenset[str]] = HANDSHAKE

    happens_later: ClassVar[bool] = True

    after_bytes: int | None = None

    @property
    def words(self) -> str:
        """What it does, for transcripts."""
        return f"{self!r}: ended the stream without close_notify"

    def __post_init__(self) -> None:
        optional_count(self, 0, "bytes", after_bytes=self.after_bytes)
