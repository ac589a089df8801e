"""Figures with their bounds, and tables of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Bound", "Result"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure, and the least or the most that it may be.

    With `measured`, the range of figures that were seen, it is a stretch: a goal out of reach today, which is shown and
    counted apart, and does not fail the run.
    """

    what: str
    figure: float
    at_most: float | None = None
    at_least: float | None = None
    unit: str = "x"
    measured: str = ""

    @property
    def is_stretch(self) -> bool:
        """Return whether it is a goal, and no bound."""
        return bool(self.measured)

    @property
    def holds(self) -> bool:
        """Return whether the figure is within the bound."""
        return (self.at_most is None or self.figure <= self.at_most) and (
            self.at_least is None or self.figure >= self.at_least
        )

    @property
    def limit(self) -> str:
        """Return the bound, or the stretch and what was measured, as people write it."""
        sign, value = ("<=", self.at_most) if self.at_most is not None else (">=", self.at_least)
        limit = f"{sign} {value:g}{self.unit}"
        return f"stretch {limit} ({self.measured})" if self.is_stretch else limit

    def __str__(self) -> str:
        return f"{self.what}: {self.figure:.2f}{self.unit}, {'' if self.is_stretch else 'bound '}{self.limit}"


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark's table, and the bounds and stretches of its figures."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    bounds: Sequence[Bound] = ()
    notes: Sequence[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the table as text: the first column to the left, the others to the right."""
        table = [self.headings, *self.rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(self.headings))]
        lines = [self.title, ""]
        for row in table:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append("  " + "   ".join(cells).rstrip())
        lines[3:3] = ["  " + "   ".join("-" * width for width in widths)]
        return [*lines, *(f"  {note}" for note in self.notes), ""]
