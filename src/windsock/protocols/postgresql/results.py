"""Results of queries as replies: columns, rows and a tag, or an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.postgresql import replies
from windsock.protocols.postgresql.series import every
from windsock.protocols.postgresql.types import has_binary_form, value_out
from windsock.protocols.postgresql.wire import Column

__all__ = ["LETTERS", "QueryResult", "failure"]


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The result of a query."""

    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    tag: str = ""
    failure: replies.ErrorResponse | None = None

    def results(self, formats: tuple[int, ...]) -> Iterator[Any]:
        """Give the rows and the tag."""
        shown = self._formats(formats)
        for row in self.rows:
            values = zip(row, self.columns, shown, strict=True)
            yield replies.DataRow(tuple(value_out(each, column.type, format) for each, column, format in values))
        yield replies.CommandComplete(self.tag) if self.tag else replies.EmptyQueryResponse()

    def _formats(self, asked: tuple[int, ...]) -> tuple[int, ...]:
        formats = zip(self.columns, every(asked, len(self.columns)), strict=False)
        return tuple(int(format == 1 and has_binary_form(column.type)) for column, format in formats)

    def description(self, formats: tuple[int, ...]) -> Iterator[Any]:
        """Give the columns, if there are any."""
        if self.columns:
            columns = zip(self.columns, self._formats(formats), strict=True)
            yield replies.RowDescription(tuple(replace(each, format=format) for each, format in columns))


LETTERS = {
    "detail": "D", "hint": "H", "position": "P", "schema": "s", "table": "t", "column": "c", "constraint": "n",
}  # fmt: skip


def failure(code: str, message: str, severity: str = "ERROR", **fields: str) -> replies.ErrorResponse:
    """Return the message of an error."""
    unknown = sorted(set(fields) - set(LETTERS))
    if unknown:
        raise UsageError(f"postgresql.error({unknown[0]}=...): expected {', '.join(LETTERS)}")
    more = ((LETTERS[name], value) for name, value in fields.items())
    return replies.ErrorResponse((("S", severity), ("V", severity), ("C", code), ("M", message), *more))
