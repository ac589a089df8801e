"""A ready rule, so that clients of PostgreSQL connect and query: `postgresql.session(server, {...})`. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from windsock.errors import UsageError
from windsock.protocols.message_pattern import MessagePattern
from windsock.protocols.postgresql import replies, requests
from windsock.protocols.postgresql.answers import QueryAnswer, command
from windsock.protocols.postgresql.authentication import METHODS, PasswordCheck
from windsock.protocols.postgresql.patterns import PROTOCOL, checked_query, fits
from windsock.protocols.postgresql.query_state import QueryState, queries_in
from windsock.protocols.postgresql.results import failure
from windsock.protocols.postgresql.series import ExtendedQuery
from windsock.protocols.ready_rules import check_server, checked_mapping

__all__ = ["Sessions", "session"]

QueryText: TypeAlias = str | re.Pattern[str]
SETTINGS = {
    "server_version": "15.0",
    "server_encoding": "UTF8",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "TimeZone": "UTC",
    "integer_datetimes": "on",
    "standard_conforming_strings": "on",
}
TAGS = re.compile(
    r"\s*(?:(BEGIN|START TRANSACTION|ROLLBACK|SAVEPOINT|RELEASE|DISCARD ALL|DEALLOCATE|SET|RESET)\b|(COMMIT|END)\b)",
    re.IGNORECASE,
)
"""Statements that need no answer of the test: they are answered with their tag."""


@dataclass(slots=True)
class Peer:
    """What is known of one connection."""

    process: int
    """The number that a CancelRequest would have."""
    login: PasswordCheck | None = None
    queries: QueryState = field(default_factory=QueryState)


@dataclass(frozen=True, slots=True, repr=False)
class AnsweredMessage(MessagePattern):
    """Matches the messages that the sessions of a server answer."""

    protocol = PROTOCOL
    is_reply = False
    sessions: Sessions

    def matches(self, message: Any) -> bool:
        """Return whether there is an answer."""
        return not self.sessions.unknown(message)

    def why_differs(self, message: Any) -> str:
        """Return the queries without an answer."""
        return f"no answer is given for {', '.join(map(repr, self.sessions.unknown(message)))}"

    def __repr__(self) -> str:
        return "postgresql.session(...)"


class Sessions:
    """The answers of a server. Of each connection its conversation keeps what was prepared, and the transaction."""

    def __init__(
        self, answers: Mapping[QueryText, QueryAnswer], method: str, password: str, settings: Mapping[str, str]
    ) -> None:
        self.answers = answers
        self._method = method
        self._password = password
        self._settings = settings

    def unknown(self, message: Any) -> list[str]:
        """Return what a message asks for and has no answer."""
        if isinstance(message, requests.OtherMessage | requests.CopyData):
            return [str(message)]
        return [each for each in queries_in(message) if not self._has(each)]

    def answer(self, message: bytes, conversation: Any) -> bytes | None:
        """Return the replies to a message in a Conversation, or None."""
        request = PROTOCOL.decode(message)
        peer = conversation.kept.setdefault("postgresql", Peer(conversation.index + 1))
        if isinstance(request, requests.SSLRequest | requests.GSSENCRequest):
            return b"N"
        if isinstance(request, requests.StartupMessage):
            return self._begin(peer, request)
        if isinstance(request, requests.AuthenticationData):
            return self._prove(peer, request)
        if isinstance(request, requests.SimpleQuery | ExtendedQuery):
            return peer.queries.answer(request, self._find) or None
        return None

    def _has(self, query: str) -> bool:
        return TAGS.match(query) is not None or not query.strip() or any(fits(each, query) for each in self.answers)

    def _find(self, query: str) -> QueryAnswer:
        """Return the answer to a query: that of the test, or the tag of a statement that needs none."""
        for each, answer in self.answers.items():
            if fits(each, query):
                return answer
        found = TAGS.match(query)
        return QueryAnswer() if found is None else command("COMMIT" if found[2] else found[1].upper())

    # --- the beginning

    def _begin(self, peer: Peer, startup: requests.StartupMessage) -> bytes:
        if self._method == "trust":
            return self._welcome(peer)
        peer.login = PasswordCheck(self._method, startup.user, self._password)
        return bytes(peer.login.begin())

    def _prove(self, peer: Peer, data: requests.AuthenticationData) -> bytes | None:
        if peer.login is None:
            return None
        found = peer.login.next(data)
        if found is False:
            return bytes(failure("28P01", "password authentication failed", "FATAL"))
        if isinstance(found, replies.Authentication):
            return bytes(found) + (self._welcome(peer) if found.kind == 12 else b"")
        return self._welcome(peer)

    def _welcome(self, peer: Peer) -> bytes:
        settings = (replies.ParameterStatus(name, value) for name, value in self._settings.items())
        key = replies.BackendKeyData(peer.process, b"\0\0\0\1")
        return b"".join(map(bytes, (replies.Authentication(0), *settings, key, replies.ReadyForQuery("I"))))


def session(
    server: Any,
    answers: Mapping[str, QueryAnswer]
    | Mapping[re.Pattern[str], QueryAnswer]
    | Mapping[QueryText, QueryAnswer]
    | None = None,
    *,
    password: str | None = None,
    auth: str = "scram-sha-256",
    settings: Mapping[str, str] | None = None,
) -> Sessions:
    """Let clients connect to a fake, and answer their queries: `{"SELECT 1": postgresql.rows(["n"], [(1,)])}`.

    The keys are texts of queries or regular expressions; the first one that fits counts. BEGIN, COMMIT, ROLLBACK, SET
    and the like need no answer. With a `password` clients are asked for it, by the method `auth`: "password", "md5" or
    "scram-sha-256". `settings` are told to clients, beside those that they need. A query without an answer here is left
    to other rules, `server.on(postgresql.query(...))`. The state of connections is in the memory of this process, so
    the server must not be a forking one. `framing="postgresql"` is needed.
    """
    check_server("postgresql.session()", server, PROTOCOL)
    texts = checked_mapping("postgresql.session()", answers, "{'SELECT 1': postgresql.rows(['n'], [(1,)])}")
    if auth not in METHODS:
        raise UsageError(f"postgresql.session(auth={auth!r}): expected one of {', '.join(map(repr, METHODS))}")
    given = {checked_query("session", each): _checked(answer) for each, answer in texts.items()}
    method = "trust" if password is None else auth
    made = Sessions(given, method, password or "", {**SETTINGS, **(settings or {})})
    server.on(AnsweredMessage(made)).reply_with(made.answer).optional()
    return made


def _checked(answer: Any) -> QueryAnswer:
    if isinstance(answer, QueryAnswer):
        return answer
    raise UsageError(f"postgresql.session(): {answer!r} is no answer; expected postgresql.rows(), command() or error()")
