"""What one connection has prepared, and its transaction: replies to queries of both protocols. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from windsock.protocols.postgresql import replies
from windsock.protocols.postgresql.requests import Bind, CloseStatement, Describe, Execute, Parse, SimpleQuery, Sync
from windsock.protocols.postgresql.results import QueryResult, failure
from windsock.protocols.postgresql.series import ExtendedQuery

__all__ = ["QueryState", "queries_in"]

AFTERWARDS = {"BEGIN": "T", "START TRANSACTION": "T", "COMMIT": "I", "ROLLBACK": "I"}
"""The status of a session after a command with this tag."""

ENDS = re.compile(r"\s*(?:COMMIT|END|ROLLBACK|ABORT)\b", re.IGNORECASE)
"""Queries that a transaction takes after an error."""
TO_SAVEPOINT = re.compile(r"\s*(?:ROLLBACK|ABORT)\b.*\bTO\b", re.IGNORECASE | re.DOTALL)
ABORTED = QueryResult(
    failure=failure("25P02", "current transaction is aborted, commands ignored until end of transaction block")
)


def queries_in(request: Any) -> list[str]:
    """Return the queries in a message."""
    if isinstance(request, ExtendedQuery):
        return [each.query for each in request.of(Parse)]
    return [request.query] if isinstance(request, SimpleQuery) else []


@dataclass(slots=True)
class QueryState:
    """The statements and portals of a connection, and the status of its transaction: "I", "T" or "E"."""

    status: str = "I"
    statements: dict[str, Parse] = field(default_factory=dict)
    portals: dict[str, Bind] = field(default_factory=dict)
    is_strict: bool = True
    """Whether a statement that was not prepared here is an error."""
    has_failed: bool = False
    """Whether the rest of a series is skipped."""

    def answer(self, request: Any, find: Callable[[str], QueryResult]) -> bytes:
        """Return all replies to a query or a series. `find` returns the answer to a query."""
        if isinstance(request, ExtendedQuery):
            return b"".join(bytes(reply) for each in request.messages for reply in self._replies(each, find))
        made = [*self._simple(request.query, find), replies.ReadyForQuery(self.status)]
        return b"".join(map(bytes, made))

    def _simple(self, query: str, find: Callable[[str], QueryResult]) -> list[Any]:
        answer = self._found(query, find)
        self._note(query, answer)
        return [answer.failure] if answer.failure else [*answer.description(()), *answer.results(())]

    def _found(self, query: str, find: Callable[[str], QueryResult]) -> QueryResult:
        """Return the answer to a query; in a transaction with an error, only its end is another one."""
        if self.status == "E" and not ENDS.match(query):
            return ABORTED
        answer = find(query)
        return QueryResult(tag="ROLLBACK") if self.status == "E" and answer.tag == "COMMIT" else answer

    def _note(self, query: str, answer: QueryResult) -> None:
        if answer.failure:
            self._note_failure()
        elif TO_SAVEPOINT.match(query):
            self.status = "T" if self.status != "I" else "I"
        else:
            self.status = AFTERWARDS.get(answer.tag, self.status)

    def _note_failure(self) -> None:
        self.status = "E" if self.status != "I" else "I"

    def _replies(self, message: Any, find: Callable[[str], QueryResult]) -> Iterator[Any]:
        if isinstance(message, Sync):
            self.has_failed = False
            yield replies.ReadyForQuery(self.status)
        elif not self.has_failed:
            yield from self._steps(message, find)

    def _steps(self, message: Any, find: Callable[[str], QueryResult]) -> Iterator[Any]:
        match message:
            case Parse():
                return self._parse(message, find)
            case Bind():
                return self._bind(message)
            case Describe():
                return self._describe(message, find)
            case Execute():
                return self._execute(message, find)
            case CloseStatement():
                return self._close(message)
        return iter(())

    def _parse(self, message: Parse, find: Callable[[str], QueryResult]) -> Iterator[Any]:
        answer = self._found(message.query, find)
        self.statements[message.name] = message
        if answer.failure:
            yield self._fail(answer.failure)
        else:
            yield replies.ParseComplete()

    def _bind(self, message: Bind) -> Iterator[Any]:
        self.portals[message.portal] = message
        is_known = message.statement in self.statements or not self.is_strict
        yield replies.BindComplete() if is_known else self._fail(_unknown(message.statement))

    def _describe(self, message: Describe, find: Callable[[str], QueryResult]) -> Iterator[Any]:
        bind = self.portals.get(message.name) if message.kind == "P" else None
        if message.kind == "P" and bind is None and self.is_strict:
            yield self._fail(_no_portal(message.name))
            return
        parsed = self.statements.get(message.name if bind is None else bind.statement)
        if message.kind == "S":
            yield replies.ParameterDescription(_types(parsed))
        answer = find(parsed.query if parsed else "")
        formats = () if bind is None else bind.result_formats
        yield from answer.description(formats) if answer.columns else (replies.NoData(),)

    def _execute(self, message: Execute, find: Callable[[str], QueryResult]) -> Iterator[Any]:
        bind = self.portals.get(message.portal)
        if bind is None and self.is_strict:
            yield self._fail(_no_portal(message.portal))
            return
        bind = bind or Bind("", "")
        parsed = self.statements.get(bind.statement)
        query = parsed.query if parsed else ""
        answer = self._found(query, find)
        if answer.failure:
            yield self._fail(answer.failure)
        else:
            self._note(query, answer)
            yield from answer.results(bind.result_formats)

    def _close(self, message: CloseStatement) -> Iterator[Any]:
        if message.kind == "S":
            self.statements.pop(message.name, None)
        else:
            self.portals.pop(message.name, None)
        yield replies.CloseComplete()

    def _fail(self, error: replies.ErrorResponse) -> replies.ErrorResponse:
        self.has_failed = True
        self._note_failure()
        return error


def _unknown(statement: str) -> replies.ErrorResponse:
    """Return the error of a statement that was not prepared here."""
    hint = "It was prepared by a rule of the test: give its answer to postgresql.session()."
    return failure("26000", f'prepared statement "{statement}" does not exist', hint=hint)


def _no_portal(name: str) -> replies.ErrorResponse:
    """Return the error of a portal that was not bound here, such as a cursor of DECLARE."""
    return failure("34000", f'portal "{name}" does not exist', hint="A cursor of DECLARE is not known to a session.")


def _types(parsed: Parse | None) -> tuple[int, ...]:
    """Return the types of a statement's parameters: those that the client gave, else text, as often as it has one."""
    if parsed is None:
        return ()
    count = max((int(each) for each in re.findall(r"\$(\d{1,4})", parsed.query)), default=0)
    return tuple((parsed.types[index] if index < len(parsed.types) else 0) or 25 for index in range(count))
