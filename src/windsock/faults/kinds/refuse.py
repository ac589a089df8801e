"""Refuse: connections are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.fault import ACCEPT, Fault
from windsock.faults.stages import Stage

__all__ = ["Refuse"]


@dataclass(frozen=True, slots=True, repr=False)
class Refuse(Fault):
    """Connections are refused (ECONNREFUSED): the server keeps its address, but does not listen there.

    With a selector, a chosen connection can only be reset after it has been accepted, as it is unknown before.
    """

    chain_stage: ClassVar[Stage] = Stage.ACCEPT
    chain_order: ClassVar[int] = 10
    applies_to: ClassVar[frozenset[str]] = ACCEPT
