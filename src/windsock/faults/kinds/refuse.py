"""Refuse: connections are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.fault import ACCEPT, Fault
from windsock.faults.stages import Stage

__all__ = ["Refuse"]


@dataclass(frozen=True, slots=True, repr=False)
class Refuse(Fault):
    """Connections are refused (ECONNREFUSED): the server's address stays taken, but nothing listens there.

    With a selector, a connection that it chooses can only be reset once it has been accepted, as it is not known
    earlier.
    """

    chain_stage: ClassVar[Stage] = Stage.ACCEPT
    chain_order: ClassVar[int] = 10
    applies_to: ClassVar[frozenset[str]] = ACCEPT
