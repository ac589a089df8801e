"""Loss: datagrams are lost at random."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from windsock.errors import UsageError
from windsock.faults.checks import one_of, probability
from windsock.faults.context import FaultContext
from windsock.faults.fault import DATAGRAM, Fault
from windsock.faults.items import Datagram, Item
from windsock.faults.stages import Stage

__all__ = ["Loss"]

PARAMETERS = {
    "random": ("p",),
    "gemodel": ("p", "r", "h", "k"),
    "state": ("p13", "p31", "p32", "p23", "p14"),
}
NAMES = ("p", "r", "h", "k", "p13", "p31", "p32", "p23", "p14")


@dataclass(frozen=True, slots=True, repr=False)
class Loss(Fault):
    """Lose datagrams with probabilities from 0 to 1, in one of three models with the names and meanings of tc-netem(8).

    - "random": each one with `p`, independently.
    - "gemodel" (Gilbert-Elliott): the line is good at first; after each datagram it turns bad with `p`, and good again
      with `r` (default 1 - p). `k` is the chance to arrive on a good line (default 1), `h` on a bad one (default 0);
      netem takes 1-h and 1-k instead. In the long run the line is bad for a share p / (p + r) of the time; a bad
      period lasts 1 / r datagrams on average.
    - "state": four states: 1 good, 2 good within a burst, 3 lost within a burst, 4 lost alone. From 1 to 3 with `p13`,
      to 4 with `p14` (default 0, and back at once); from 3 to 1 with `p31` (default 1 - p13), to 2 with `p32` (default
      0); from 2 to 3 with `p23` (default 1). A datagram is subject to the state after the step.
    """

    chain_stage: ClassVar[Stage] = Stage.MODIFY
    chain_order: ClassVar[int] = 20
    applies_to: ClassVar[frozenset[str]] = DATAGRAM

    p: float | None = None
    model: str = field(default="random", kw_only=True)
    r: float | None = field(default=None, kw_only=True)
    h: float | None = field(default=None, kw_only=True)
    k: float | None = field(default=None, kw_only=True)
    p13: float | None = field(default=None, kw_only=True)
    p31: float | None = field(default=None, kw_only=True)
    p32: float | None = field(default=None, kw_only=True)
    p23: float | None = field(default=None, kw_only=True)
    p14: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        one_of(self, PARAMETERS, model=self.model)
        given = {name: getattr(self, name) for name in NAMES if getattr(self, name) is not None}
        probability(self, **given)
        known = PARAMETERS[self.model]
        if known[0] not in given:
            raise UsageError(f"{self!r}: {known[0]}=None: expected a probability, model={self.model!r} needs it")
        for name in given:
            if name not in known:
                expected = f"for model={self.model!r} some of {', '.join(known)}"
                raise UsageError(f"{self!r}: {name}={given[name]!r}: expected {expected}")
        for name, other in (("p13", "p14"), ("p31", "p32")):
            if given.get(name, 0) + given.get(other, 0) > 1:
                expected = "chances of two ways out of one state, together at most 1"
                raise UsageError(f"{self!r}: {name} + {other} is above 1: expected {expected}")

    def begin(self, context: FaultContext) -> list[int]:  # noqa: ARG002  # the contract of faults
        """Return the initial state of the line: 1, good."""
        return [1]

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the datagram, or nothing."""
        if not isinstance(item, Datagram) or not self._is_lost(context):
            return (item,)
        context.fire("lost {} B", len(item.data))
        return ()

    def _is_lost(self, context: FaultContext) -> bool:
        draw = context.random.random
        if self.model == "random":
            return draw() < (self.p or 0.0)
        if self.model == "state":
            context.state[0] = self._next_of_four(context.state[0], draw())
            return context.state[0] in (3, 4)
        return self._is_lost_by_two(context, draw(), draw())

    def _is_lost_by_two(self, context: FaultContext, turn: float, draw: float) -> bool:
        """Return whether a datagram is lost; always uses two draws for each datagram."""
        p = self.p or 0.0
        is_good = context.state[0] == 1
        if turn < (p if is_good else _or(self.r, 1 - p)):
            context.state[0] = 2 if is_good else 1
        return draw >= (_or(self.k, 1.0) if is_good else _or(self.h, 0.0))

    def _next_of_four(self, state: int, draw: float) -> int:
        p13, p14 = _or(self.p13, 0.0), _or(self.p14, 0.0)
        if state == 1:
            return 4 if draw < p14 else 3 if draw < p14 + p13 else 1
        if state == 2:
            return 3 if draw < _or(self.p23, 1.0) else 2
        if state == 4:
            return 1
        p32 = _or(self.p32, 0.0)
        p31 = _or(self.p31, min(1 - p13, 1 - p32))
        return 2 if draw < p32 else 1 if draw < p32 + p31 else 3


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
