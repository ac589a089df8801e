"""AcceptError: accept(2) fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import code_of
from windsock.faults.fault import ACCEPT, Fault
from windsock.faults.stages import Stage

__all__ = ["AcceptError"]


@dataclass(frozen=True, slots=True, repr=False)
class AcceptError(Fault):
    """The server's accept fails with an error, by its errno name: "EMFILE", "ENFILE", "ENOBUFS", "ECONNABORTED", ...

    The connection stays in the queue, as on Linux with all of these except ECONNABORTED (accept(2)); use `times=` for
    the number of failures.
    """

    chain_stage: ClassVar[Stage] = Stage.ACCEPT
    chain_order: ClassVar[int] = 30
    applies_to: ClassVar[frozenset[str]] = ACCEPT

    errno: str

    def __post_init__(self) -> None:
        code_of(self, self.errno)

    @property
    def code(self) -> int:
        """The error's number on this system."""
        return code_of(self, self.errno)
