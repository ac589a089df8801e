"""TLSPlaintext: the server answers the TLS handshake with other data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import bytes_of
from windsock.faults.fault import HANDSHAKE, Fault
from windsock.faults.stages import Stage

__all__ = ["TLSPlaintext"]


@dataclass(frozen=True, slots=True, repr=False)
class TLSPlaintext(Fault):
    """The server answers the client's first message with these bytes, which are not TLS, and closes.

    As when a client speaks TLS to a plain HTTP port.
    """

    chain_stage: ClassVar[Stage] = Stage.HANDSHAKE
    chain_order: ClassVar[int] = 10
    applies_to: ClassVar[frozenset[str]] = HANDSHAKE

    data: bytes = b"HTTP/1.1 400 Bad Request\r\n\r\n"

    def __post_init__(self) -> None:
        bytes_of(self, data=self.data)
