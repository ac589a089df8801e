"""DNS as a protocol, and its patterns: `dns.query("example.org", "A")` and `dns.response("NXDOMAIN")`."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.dns.library import checked_word
from windsock.protocols.dns.messages import DNSMessage, Question
from windsock.protocols.dns.wire import decoded, without_prefix
from windsock.protocols.message_pattern import MessagePattern
from windsock.protocols.protocol import Protocol

__all__ = ["PROTOCOL", "DNSProtocol", "ask", "query", "response"]


class DNSProtocol(Protocol):
    """DNS: a datagram is a message; on streams its length comes before it, in two bytes."""

    name = "dns"
    title = "DNS"

    def size(self, data: bytes) -> int | None:
        """Return the size of the first message with its length, or None before all of that."""
        return 2 + int.from_bytes(data[:2], "big") if len(data) >= 2 else None

    def body(self, data: bytes) -> bytes:
        """Return a message without its length."""
        return without_prefix(data)

    def decode(self, data: bytes) -> DNSMessage:
        """Return a query or a response."""
        return decoded(data)

    def request_key(self, data: bytes) -> Hashable:
        """Return the id."""
        return without_prefix(data)[:2]


PROTOCOL = DNSProtocol()


@dataclass(frozen=True, slots=True, repr=False)
class DNSQueryPattern(MessagePattern):
    """Matches queries; see `query()`."""

    protocol = PROTOCOL
    is_reply = False
    name: str | None = None
    type: str | None = None

    def matches(self, message: DNSMessage) -> bool:
        """Return whether a message is such a query."""
        if message.is_response:
            return False
        return self == DNSQueryPattern() or any(_is_for(each, self.name, self.type) for each in message.questions)

    def __repr__(self) -> str:
        return f"dns.query({_arguments(self.name, type=self.type)})"


@dataclass(frozen=True, slots=True, repr=False)
class DNSResponsePattern(MessagePattern):
    """Matches responses; see `response()`."""

    protocol = PROTOCOL
    is_reply = True
    rcode: str | None = None
    name: str | None = None
    type: str | None = None

    def matches(self, message: DNSMessage) -> bool:
        """Return whether a message is such a response."""
        if not message.is_response or self.rcode not in (None, message.rcode):
            return False
        is_for_all = self.name is None and self.type is None
        return is_for_all or any(_is_for(each, self.name, self.type) for each in message.questions)

    def __repr__(self) -> str:
        return f"dns.response({_arguments(self.rcode, name=self.name, type=self.type)})"


def query(name: str | None = None, type: str | None = None) -> DNSQueryPattern:
    """Return a pattern for queries: of this name, in any case, and of this type, such as "A"; without them, for all.

    For `server.on()`, `expect()` of scripts, and `match=` of faults.
    """
    return DNSQueryPattern(_checked("query", name), _known_type("query", type))


def response(rcode: str | None = None, *, name: str | None = None, type: str | None = None) -> DNSResponsePattern:
    """Return a pattern for responses: with this rcode, such as "NXDOMAIN", to queries of this name and type."""
    known = None if rcode is None else checked_word("rcode", "dns.response()", rcode)
    return DNSResponsePattern(known, _checked("response", name), _known_type("response", type))


def ask(name: str, type: str = "A", *, id: int = 1, over_tcp: bool = False) -> DNSMessage:
    """Return a query for a name, for scripts to send."""
    if not 0 <= id <= 0xFFFF:
        raise UsageError(f"dns.ask(id={id!r}): expected a number from 0 to 65535")
    question = Question(name.removesuffix("."), checked_word("rdatatype", "dns.ask()", type))
    return DNSMessage(id, (question,), flags="RD", over_tcp=over_tcp)


def _is_for(question: Question, name: str | None, type: str | None) -> bool:
    has_name = name is None or _plain(question.name) == _plain(name)
    return has_name and type in (None, question.type)


def _plain(name: str) -> str:
    """Return a name in the form in which names are compared; the root is empty."""
    return name.removesuffix(".").lower()


def _checked(method: str, name: Any) -> str | None:
    if name is None or (isinstance(name, str) and (name == "." or all(_plain(name).split(".")))):
        return name
    if isinstance(name, str):
        raise UsageError(f"dns.{method}({name!r}): no name has an empty label; the root is '.'")
    raise UsageError(f"dns.{method}({name!r}): expected a str, as in dns.{method}('example.org')")


def _known_type(method: str, type: str | None) -> str | None:
    return None if type is None else checked_word("rdatatype", f"dns.{method}()", type)


def _arguments(first: str | None, **others: str | None) -> str:
    words = [] if first is None else [repr(first)]
    return ", ".join(words + [f"{name}={value!r}" for name, value in others.items() if value is not None])
