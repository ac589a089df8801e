"""When the test itself had a server, a proxy or a program down, and the facts of real programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from windsock.net import addresses
from windsock.recording.changes import Change

__all__ = ["Down", "ProgramFacts", "downs_in", "program_from"]


@dataclass(frozen=True, slots=True)
class Down:
    """A time in which a server, a proxy or a program was down, by a call of the test such as "outage()".

    `ended` is None if it still was when the test failed. `is_left_by_error`: an exception has left its `with`.
    """

    call: str
    began: float
    ended: float | None = None
    is_left_by_error: bool = False

    @property
    def was_in_force(self) -> bool:
        """Return whether it was down when the test failed."""
        return self.ended is None or self.is_left_by_error


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """One real program. `shown` is its address in words."""

    name: str
    address: object
    shown: str
    downs: tuple[Down, ...] = ()


def program_from(program: Any) -> ProgramFacts:
    """Return the facts of a real program."""
    address = program.direct_address
    return ProgramFacts(program.name, address, addresses.show(address), tuple(downs_in(program.changes)))


def downs_in(changes: Sequence[Change]) -> Iterator[Down]:
    """Give the times in which a server was down, the latest last."""
    began: Change | None = None
    for each in changes:
        if began is None:
            began = each if each.is_down else None
        elif not each.is_down:
            yield Down(began.call, began.at, each.at, each.is_left_by_error)
            began = None
    if began is not None:
        yield Down(began.call, began.at)
