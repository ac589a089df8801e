"""Figures with their bounds, and tables of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Bound", "Result"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure that is to be at most, or at least, so much."""

    what: str
    figure: float
    at_most: float | None = None
    at_least: float | None = None
    unit: str = "x"

    @property
    def holds(self) -> bool:
        """Return whether the figure is within the bound."""
        return (self.at_most is None or self.figure <= self.at_most) and (
            self.at_least is None or self.figure >= self.at_least
        )

    @property
    def limit(self) -> str:
        """Return the bound as people write it."""
        sign, value = ("<=", self.at_most) if self.at_most is not None else (">=", self.at_least)
        return f"{sign} {value:g}{self.unit}"

    def __str__(self) -> str:
        return f"{self.what}: {self.figure:.2f}{self.unit}, bound {self.limit}"


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark's table, and the bounds that its figures are under."""

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
