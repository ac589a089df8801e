"""PostgreSQL as a protocol, and its patterns: `postgresql.query("SELECT 1")`, `postgresql.reply(...)`. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.message_pattern import MessagePattern
from windsock.protocols.postgresql.replies import EncryptionReply, reply_in, reply_size
from windsock.protocols.postgresql.requests import GSSENCRequest, SSLRequest
from windsock.protocols.postgresql.series import request_in, request_size
from windsock.protocols.postgresql.wire import PostgreSQLMessage
from windsock.protocols.protocol import Protocol

__all__ = ["PROTOCOL", "PostgreSQLProtocol", "query", "reply"]

ENCRYPTION = (bytes(SSLRequest()), bytes(GSSENCRequest()))


class PostgreSQLProtocol(Protocol):
    """Version 3: messages of clients, those of the extended protocol as series up to Sync or Flush; and of servers."""

    name = "postgresql"
    title = "PostgreSQL"
    limit = 64 * 1024 * 1024

    def __init__(self) -> None:
        self._may_be_letter: bool | None = None
        """Whether the next message of the server may be a single letter; None if that is not known."""

    def begin(self) -> PostgreSQLProtocol:
        """Return the protocol of one connection, which knows whether encryption was asked for."""
        return type(self)()

    def passed(self, data: bytes, *, is_reply: bool) -> None:
        """Learn whether the reply may be a single letter."""
        if not is_reply:
            self._may_be_letter = data in ENCRYPTION
        elif len(data) > 1:
            self._may_be_letter = False

    def size(self, data: bytes) -> int | None:
        """Return the size of the first message or series, or None."""
        return request_size(data)

    def reply_size(self, data: bytes) -> int | None:
        """Return the size of the first message of a server, or None."""
        return reply_size(data, may_be_letter=self._may_be_letter)

    def decode(self, data: bytes) -> Any:
        """Return a message of a client, or a series of the extended protocol."""
        return request_in(data)

    def decode_reply(self, data: bytes) -> Any:
        """Return a message of a server."""
        return reply_in(data)


PROTOCOL = PostgreSQLProtocol()


@dataclass(frozen=True, slots=True, repr=False)
class QueryPattern(MessagePattern):
    """Matches queries; see `query()`."""

    protocol = PROTOCOL
    is_reply = False
    text: str | re.Pattern[str] | None = None

    def matches(self, message: Any) -> bool:
        """Return whether a message has such a query, in the simple or in the extended protocol."""
        found = getattr(message, "query", "")
        return bool(found) and (self.text is None or fits(self.text, found))

    def __repr__(self) -> str:
        return f"postgresql.query({'' if self.text is None else written(self.text)})"


@dataclass(frozen=True, slots=True, repr=False)
class PostgreSQLReplyPattern(MessagePattern):
    """Matches messages of servers; see `reply()`."""

    protocol = PROTOCOL
    is_reply = True
    wanted: Any = None

    def matches(self, message: Any) -> bool:
        """Return whether a message is the wanted one, or one of the wanted class."""
        if isinstance(self.wanted, type):
            return isinstance(message, self.wanted)
        return self.wanted is None or message == self.wanted

    def size(self, data: bytes) -> int | None:
        """Return the size of the first message; a single letter is one only if that is wanted."""
        is_letter = self.wanted is EncryptionReply or isinstance(self.wanted, EncryptionReply)
        return reply_size(data, may_be_letter=is_letter)

    def __repr__(self) -> str:
        wanted = f"postgresql.{self.wanted.__name__}" if isinstance(self.wanted, type) else repr(self.wanted)
        return f"postgresql.reply({'' if self.wanted is None else wanted})"


def query(text: str | re.Pattern[str] | None = None) -> QueryPattern:
    """Return a pattern for queries with this text, or in which this regular expression is found; without one, all.

    In the simple and in the extended protocol, there where a statement is prepared. White space around the text, a
    semicolon behind it, and how many blanks are within do not matter.
    """
    return QueryPattern(None if text is None else checked_query("query", text))


def reply(wanted: PostgreSQLMessage | type[PostgreSQLMessage] | None = None) -> PostgreSQLReplyPattern:
    """Return a pattern for messages of servers: this one, or those of a class, such as `postgresql.DataRow`; or all."""
    is_class = isinstance(wanted, type) and issubclass(wanted, PostgreSQLMessage)
    if wanted is not None and not is_class and not isinstance(wanted, PostgreSQLMessage):
        raise UsageError(f"postgresql.reply({wanted!r}): expected a message of a server, or its class")
    return PostgreSQLReplyPattern(wanted)


def checked_query(method: str, text: Any) -> str | re.Pattern[str]:
    """Return the text of a query, or an expression for it. Raises UsageError for anything else."""
    if isinstance(text, str) or (isinstance(text, re.Pattern) and isinstance(text.pattern, str)):
        return text
    raise UsageError(f"postgresql.{method}({text!r}): expected str, or a regular expression of str")


def fits(wanted: str | re.Pattern[str], query: str) -> bool:
    """Return whether a query has the text, or matches the expression."""
    if isinstance(wanted, re.Pattern):
        return wanted.search(query) is not None
    return wanted == query or normal(wanted) == normal(query)


def normal(query: str) -> str:
    """Return a query without blanks that do not matter."""
    return " ".join(query.strip().removesuffix(";").split())


def written(text: str | re.Pattern[str]) -> str:
    """Return the code of a text or an expression."""
    return f"re.compile({text.pattern!r})" if isinstance(text, re.Pattern) else repr(text)
