"""TLSStall: the server hangs during the handshake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import one_of
from windsock.faults.fault import HANDSHAKE, Fault
from windsock.faults.kinds.tls_stages import STAGES
from windsock.faults.stages import Stage

__all__ = ["TLSStall"]


@dataclass(frozen=True, slots=True, repr=False)
class TLSStall(Fault):
    """The server stays silent after a stage of the handshake, and stays connected.

    "client_hello": the client's first message was read and is not answered. "server_hello": the server's first messages
    were sent, and the client's answer is not read. "finished": the handshake is over, and nothing follows.
    """

    chain_stage: ClassVar[Stage] = Stage.HANDSHAKE
    chain_order: ClassVar[int] = 20
    applies_to: ClassVar[frozenset[str]] = HANDSHAKE

    stage: str = "client_hello"

    def __post_init__(self) -> None:
        one_of(self, STAGES, stage=self.stage)
