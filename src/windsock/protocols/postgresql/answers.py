"""Answers to queries, in the simple and in the extended protocol: `postgresql.rows(...)`, `postgresql.error(...)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.postgresql.query_state import QueryState
from windsock.protocols.postgresql.results import LETTERS, QueryResult, failure
from windsock.protocols.postgresql.series import request_in
from windsock.protocols.postgresql.types import type_of
from windsock.protocols.postgresql.wire import Column
from windsock.protocols.values import MessageAnswer

__all__ = ["QueryAnswer", "command", "error", "rows"]


@dataclass(frozen=True, slots=True, repr=False)
class QueryAnswer(QueryResult, MessageAnswer):
    """The answer to a query: rows and a tag, or an error. See `rows()`, `command()` and `error()`."""

    def __call__(self, message: bytes) -> bytes:
        """Return all replies to a query, up to ReadyForQuery where the client waits for that."""
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
