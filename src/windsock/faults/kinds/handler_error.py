"""HandlerError: the server's own code fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.checks import wrong
from windsock.faults.fault import PROCESS, Fault
from windsock.faults.stages import Stage

__all__ = ["HandlerError"]


@dataclass(frozen=True, slots=True, repr=False)
class HandlerError(Fault):
    """The handler raises this exception (a class or an instance) instead of handling its request."""

    chain_stage: ClassVar[Stage] = Stage.PROCESS
    chain_order: ClassVar[int] = 30
    applies_to: ClassVar[frozenset[str]] = PROCESS

    exception: Exception | type[Exception]

    def __post_init__(self) -> None:
        error: object = self.exception
        if not (isinstance(error, Exception) or (isinstance(error, type) and issubclass(error, Exception))):
            raise wrong(self, "exception", error, "an Exception, such as ValueError('no'), or a class of them")

    def __repr__(self) -> str:
        """Return the code that creates the fault."""
        error = self.exception
        return f"HandlerError({error.__name__ if isinstance(error, type) else repr(error)})"
