"""The result of a crowd: one object for many clients."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

__all__ = ["CrowdFailed", "CrowdMember", "CrowdSummary"]

NUMBER = re.compile(r"\d+")
SHOWN = 3
"""The number of failures of a kind that are named."""


@dataclass(frozen=True, slots=True)
class CrowdMember:
    """One client of a crowd: `seconds` from its first step to its last one or its failure."""

    index: int
    seconds: float
    outcome: str
    failure: Exception | None = None


class CrowdFailed(ExceptionGroup[Exception]):  # says what happened
    """Some of a crowd did not get to the end of their scripts: the first failure of each kind.

    `summary` is about all of them; its `failures` are all.
    """

    summary: CrowdSummary

    def derive(self, excs: Sequence[Any], /) -> Any:
        """See ExceptionGroup."""
        made = CrowdFailed(self.message, excs)
        made.summary = self.summary
        return made


@dataclass(frozen=True, slots=True)
class CrowdSummary:
    """The results of all clients of a crowd, in the order of their index; times are in seconds."""

    members: tuple[CrowdMember, ...]
    seconds: float
    """From the first connection to the last client's end."""

    def __len__(self) -> int:
        return len(self.members)

    @property
    def met(self) -> int:
        """How many got to the end of their scripts."""
        return sum(each.failure is None for each in self.members)

    @property
    def failures(self) -> list[tuple[int, Exception]]:
        """The failures, each with the index of its client."""
        return [(each.index, each.failure) for each in self.members if each.failure is not None]

    @property
    def outcomes(self) -> Counter[str]:
        """How many had which outcome."""
        return Counter(each.outcome for each in self.members)

    @property
    def times(self) -> list[float]:
        """The seconds of each client that has reached the end of its script, sorted."""
        return sorted(each.seconds for each in self.members if each.failure is None)

    @property
    def fastest(self) -> float:
        """The least of `times`; 0 if there are none."""
        return min(self.times, default=0.0)

    @property
    def median(self) -> float:
        """The time that half of them took at most; 0 if there are none."""
        return median(self.times) if self.met else 0.0

    @property
    def p99(self) -> float:
        """The time that 99 of 100 took at most; 0 if there are none."""
        times = self.times
        return times[min(len(times) - 1, len(times) * 99 // 100)] if times else 0.0

    @property
    def slowest(self) -> float:
        """The most of `times`; 0 if there are none."""
        return max(self.times, default=0.0)

    def __str__(self) -> str:
        lines = [f"{self.met} of {len(self)} clients met their script, {self.seconds:.3f} s in all"]
        if self.met:
            lines.append(
                f"  seconds each: min {self.fastest:.4f}, median {self.median:.4f}, "
                f"p99 {self.p99:.4f}, max {self.slowest:.4f}"
            )
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.most_common())
        lines.append(f"  outcomes: {outcomes}")
        lines += self._kinds_of_failures()
        return "\n".join(lines)

    def _kinds_of_failures(self) -> list[str]:
        """Return a line for each kind of failure, with the first client that has met it."""
        kinds: dict[str, list[tuple[int, str]]] = {}
        for index, failure in self.failures:
            kinds.setdefault(_kind(failure), []).append((index, _first_line(failure)))
        lines = []
        for found in kinds.values():
            named = ", ".join(f"#{index}" for index, _ in found[:SHOWN]) + (", ..." if len(found) > SHOWN else "")
            words = found[0][1]
            others = "" if all(each == words for _, each in found) else "; the others with other numbers"
            lines.append(f"  {len(found)} failed ({named}): {words}{others}")
        return lines

    def check(self) -> None:
        """Raise CrowdFailed, with the first failure of each kind, if a client did not get to the end."""
        firsts: dict[str, tuple[int, Exception]] = {}
        for index, failure in self.failures:
            firsts.setdefault(_kind(failure), (index, failure))
        if firsts:
            for index, failure in firsts.values():
                failure.add_note(f"windsock: client #{index} of a crowd of {len(self)}")
                failure.__traceback__ = None  # places of ours: the test's own line is the crowd's
            error = CrowdFailed(str(self), [failure for _, failure in firsts.values()])
            error.summary = self
            raise error


def _first_line(failure: Exception) -> str:
    return str(failure).partition("\n")[0]


def _kind(failure: Exception) -> str:
    """Return what is the same for all failures of a kind: the first line without its numbers."""
    return NUMBER.sub("#", _first_line(failure))
