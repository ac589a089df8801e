"""The search for the smallest weather that fails: Hypothesis proposes, each weather is tried once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from windsock.exploration.example import Example
from windsock.net.deadlines import within
from windsock.net.system import monotonic
from windsock.strategies.faults import harshness

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from windsock.strategies.schedules import Schedule

__all__ = ["Exploration", "Search"]

ATTEMPTS = 5
"""The smallest failing examples that are run again, until one fails again."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was tried: the number of weathers, the seconds, and how many examples each kind of fault has fired in."""

    examples: int
    seconds: float
    fired: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.examples} example{'' if self.examples == 1 else 's'} in {self.seconds:.1f} s"


class _TimeIsUp(BaseException):
    """Leaves Hypothesis."""


class Search:
    """Runs examples, each weather once; `seconds` is the time to find one that fails, and again that to shrink it.

    `show` is called with the number of those tried so far, and of those that failed.
    """

    def __init__(self, run: Callable[[Schedule], Example], show: Callable[[int, int], None], seconds: float) -> None:
        self._run = run
        self._show = show
        self._seconds = seconds
        self._began = monotonic()
        self._until = self._began + within(seconds)
        self._tried: dict[str, Example] = {}
        self._failing: list[Example] = []

    def calm(self) -> Example:
        """Run the example without a fault."""
        return self._try([])

    def smallest(self, strategy: SearchStrategy[Schedule], examples: int, seed: int) -> Example | None:
        """Return the smallest failing example that fails again, or else the first one; None without any."""
        with suppress(_TimeIsUp):
            _propose(strategy, self._fails, examples, seed)
        for each in sorted(self._failing, key=_size)[:ATTEMPTS]:
            again = self._run(each.weather)
            if again.error is not None:
                return again
        return self._failing[0] if self._failing else None

    def summary(self) -> Exploration:
        """Return what was tried so far."""
        fired = Counter(kind for each in self._tried.values() for kind in each.fired)
        return Exploration(len(self._tried), monotonic() - self._began, dict(fired))

    def _fails(self, weather: Schedule) -> bool:
        known = self._tried.get(repr(weather))
        return (known or self._try(weather)).error is not None

    def _try(self, weather: Schedule) -> Example:
        if monotonic() >= self._until:
            raise _TimeIsUp
        example = self._run(weather)
        if example.error is not None and not self._failing:
            example = self._run(weather)  # what fails once may be the machine's doing
            self._until = monotonic() + within(self._seconds)
        self._tried[repr(weather)] = example
        if example.error is not None:
            self._failing.append(example)
        self._show(len(self._tried), len(self._failing))
        return example


def _propose(strategy: SearchStrategy[Schedule], fails: Callable[[Schedule], bool], examples: int, seed: int) -> None:
    """Have Hypothesis look for an example that fails, then for smaller ones."""
    import hypothesis
    from hypothesis import Phase

    options: Any = {"max_examples": examples, "database": None, "deadline": None, "derandomize": False}
    settings = hypothesis.settings(phases=(Phase.generate, Phase.shrink), **options)
    with suppress(hypothesis.errors.NoSuchExample):
        hypothesis.find(strategy, fails, settings=settings, random=random.Random(seed))


def _size(example: Example) -> tuple[int, int, int, str]:
    """Return what failing examples are ordered by: fewer faults, milder kinds, shorter code."""
    code = repr(example.weather)
    return len(example.weather), sum(harshness(fault) for fault, _ in example.weather), len(code), code
