"""TLSAlert: the server ends the handshake with an alert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import one_of, wrong
from windsock.faults.fault import HANDSHAKE, Fault
from windsock.faults.kinds.tls_stages import STAGES
from windsock.faults.stages import Stage
from windsock.security.alerts import ALERTS

__all__ = ["TLSAlert"]


@dataclass(frozen=True, slots=True, repr=False)
class TLSAlert(Fault):
    """The server sends a fatal alert after a stage of the handshake, and closes.

    `code`: a name of RFC 8446, section 6 ("handshake_failure"), or a number from 0 to 255.
    """

    chain_stage: ClassVar[Stage] = Stage.HANDSHAKE
    chain_order: ClassVar[int] = 30
    applies_to: ClassVar[frozenset[str]] = HANDSHAKE

    code: str | int = "handshake_failure"
    stage: str = "client_hello"

    def __post_init__(self) -> None:
        is_byte = isinstance(self.code, int) and not isinstance(self.code, bool) and 0 <= self.code <= 255
        if not is_byte and self.code not in ALERTS:
            raise wrong(self, "code", self.code, "a number from 0 to 255, or one of " + ", ".join(ALERTS))
        one_of(self, STAGES, stage=self.stage)

    @property
    def number(self) -> int:
        """The alert's number."""
        return self.code if isinstance(self.code, int) else ALERTS[self.code]
