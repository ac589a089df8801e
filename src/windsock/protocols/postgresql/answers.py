"""Answers to queries, in the simple and in the extended protocol: `postgresql.rows(...)`, `postgresql.error(...)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.postgresql import replies
from windsock.protocols.postgresql.series import every, request_in
from windsock.protocols.postgresql.types import has_binary_form, type_of, value_out
from windsock.protocols.postgresql.wire import Column
from windsock.protocols.values import MessageAnswer

__all__ = ["QueryAnswer", "command", "error", "failure", "rows"]


@dataclass(frozen=True, slots=True, repr=False)
class QueryAnswer(MessageAnswer):
    """The answer to a query: rows and a tag, or an error. See `rows()`, `command()` and `error()`."""

    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    tag: str = ""
    failure: replies.ErrorResponse | None = None

    def __call__(self, message: bytes) -> bytes:
        """Return all replies to a query, up to ReadyForQuery where the client waits for that."""
        from windsock.protocols.postgresql.query_state import QueryState

        return QueryState(is_strict=False).answer(request_in(message), lambda _: self)

    def __repr__(self) -> str:
        if self.failure:
            fields = dict(self.failure.fields)
            names = ((name, fields[letter]) for name, letter in LETTERS.items() if letter in fields)
            more = "".join(f", {name}={value!r}" for name, value in names)
            severity = "" if self.failure.severity == "ERROR" else f", severity={self.failure.severity!r}"
            return f"postgresql.error({self.failure.code!r}, {self.failure.message!r}{severity}{more})"
        if not self.columns:
            return f"postgresql.command({self.tag!r})"
        tag = "" if self.tag == f"SELECT {len(self.rows)}" else f", tag={self.tag!r}"
        return f"postgresql.rows({list(self.columns)!r}, {list(self.rows)!r}{tag})"

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


def rows(columns: Iterable[str | Column], rows: Iterable[Iterable[Any]], *, tag: str | None = None) -> QueryAnswer:
    """Return the answer with these rows: `postgresql.rows(["id", "name"], [(1, "x")])`.

    The type of a column is that of its first value that is not None; a `postgresql.Column` gives another one. `tag` is
    "SELECT" and the number of rows.
    """
    given = tuple(columns)
    if not _are_several(rows) or not all(map(_are_several, rows := tuple(rows))):
        raise UsageError(f"postgresql.rows(..., {rows!r}): expected rows, each a tuple of values, such as [(1, 'x')]")
    table = tuple(map(tuple, rows))
    for row in table:
        if len(row) != len(given):
            raise UsageError(f"postgresql.rows(): the row {row!r} has {len(row)} values, expected {len(given)}")
    made = tuple(_column(each, [row[index] for row in table]) for index, each in enumerate(given))
    if not made:
        raise UsageError("postgresql.rows([], ...): expected the name of at least one column")
    return QueryAnswer(made, table, f"SELECT {len(table)}" if tag is None else tag)


def _are_several(given: object) -> bool:
    return isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping)


def _column(given: Any, values: list[Any]) -> Column:
    if isinstance(given, Column):
        return given
    if not isinstance(given, str):
        raise UsageError(f"postgresql.rows(): {given!r} is no column; expected its name, or a postgresql.Column")
    return Column(given, type_of(values))


def command(tag: str) -> QueryAnswer:
    """Return the answer to a statement without rows: `postgresql.command("INSERT 0 1")`."""
    given: object = tag
    if not isinstance(given, str) or "\0" in given:
        raise UsageError(f"postgresql.command({tag!r}): expected str, such as 'INSERT 0 1'")
    return QueryAnswer(tag=tag)


def error(code: str, message: str, *, severity: str = "ERROR", **fields: str) -> QueryAnswer:
    """Return an error: `postgresql.error("42P01", 'relation "t" does not exist')`.

    `detail`, `hint`, `position`, `schema`, `table`, `column` and `constraint` are the fields that it may have, too.
    """
    given: object = code
    if not isinstance(given, str) or len(given) != 5:
        raise UsageError(f"postgresql.error({code!r}, ...): expected a SQLSTATE of 5 characters, such as '42P01'")
    return QueryAnswer(failure=failure(code, message, severity, **fields))


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
