"""Delay: data arrives later."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from windsock.errors import UsageError
from windsock.faults.checks import one_of, probability, seconds
from windsock.faults.context import FaultContext
from windsock.faults.fault import Fault
from windsock.faults.items import Data, Item, at_time
from windsock.faults.stages import Stage

__all__ = ["Delay"]

SHAPE = 3.0
"""The shape of the Pareto distribution: the smallest whole number for which it has a variance."""


def _rest(normal: float) -> float:
    """Return the probability that a normal number is greater; never 0."""
    return max(0.5 * math.erfc(normal / math.sqrt(2)), 1e-300)


LAWS: dict[str, Callable[[float], float]] = {
    "uniform": lambda normal: math.erf(normal / math.sqrt(2)),
    "normal": lambda normal: normal,
    "lognormal": lambda normal: math.exp(normal - 0.5),
    "pareto": lambda normal: (SHAPE - 1) * (_rest(normal) ** (-1 / SHAPE) - 1),
    "exponential": lambda normal: -math.log(_rest(normal)),
}
"""Maps from a standard normal number to each distribution, so that correlation works the same for all."""


@dataclass(frozen=True, slots=True, repr=False)
class Delay(Fault):
    """Each piece of data, datagram or end arrives `time` seconds later; the sender is not slowed down.

    With `jitter` seconds the delay varies: "uniform" is time - jitter to time + jitter, "normal" has jitter as its
    standard deviation (both as in tc-netem(8)); with "exponential", "lognormal" (sigma 1) and "pareto" (shape 3) `time`
    is the least delay, and jitter is the mean of what is added (our choice). The delay is never below 0. `correlation`
    (0 to 1) is that of each delay with the one before: an autoregressive normal process mapped to the distribution,
    which stays the same. Bytes of a stream keep their order: one that would overtake waits. Each datagram is delayed
    on its own, and may overtake others, as in netem.
    """

    chain_stage: ClassVar[Stage] = Stage.DELAY
    chain_order: ClassVar[int] = 10

    time: float
    jitter: float = field(default=0.0, kw_only=True)
    distribution: str = field(default="uniform", kw_only=True)
    correlation: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        seconds(self, time=self.time, jitter=self.jitter)
        one_of(self, LAWS, distribution=self.distribution)
        probability(self, correlation=self.correlation)
        if not self.jitter and (self.correlation or self.distribution != "uniform"):
            raise UsageError(f"{self!r}: jitter=0: expected seconds above 0 with a distribution or correlation")

    @property
    def latency(self) -> float:
        """The seconds of delay."""
        return self.time

    def begin(self, context: FaultContext) -> list[float]:
        """Return the latest normal number; the first one is drawn here."""
        return [context.random.gauss(0.0, 1.0)] if self.correlation else []

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the item with its later time."""
        delay = self.time if not self.jitter else self._drawn(context)
        if type(item) is Data:
            context.fire("delayed {} B by {:.6f} s", len(item.data), delay)
            return (at_time(item, item.at + delay),)
        context.fire("delayed {} by {:.6f} s", type(item).__name__, delay)
        return (at_time(item, item.at + delay),)

    def _drawn(self, context: FaultContext) -> float:
        normal = context.random.gauss(0.0, 1.0)
        if self.correlation:
            share = self.correlation
            normal = context.state[0] = share * context.state[0] + math.sqrt(1 - share * share) * normal
        return max(0.0, self.time + self.jitter * LAWS[self.distribution](normal))
