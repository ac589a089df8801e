"""Queries and responses of DNS as values, with their records as text; dnspython has their encoding."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.dns.library import absolute, dnspython, record_of

__all__ = ["EDNS", "DNSMessage", "Question"]

ADDRESSES = ("A", "AAAA")
LARGEST = 0xFFFF
"""The most bytes of a message."""
MOST = 8
"""The records that a line shows."""


@dataclass(frozen=True, slots=True, repr=False)
class Question:
    """What a query asks for. The name has no dot at its end, and is in the case in which it was sent."""

    name: str
    type: str = "A"
    rdclass: str = "IN"

    def __str__(self) -> str:
        return f"{self.type} {self.name}" if self.rdclass == "IN" else f"{self.type} {self.name} {self.rdclass}"

    def __repr__(self) -> str:
        words = [self.name, self.type, *([] if self.rdclass == "IN" else [self.rdclass])]
        return f"dns.Question({', '.join(map(repr, words))})"


@dataclass(frozen=True, slots=True, repr=False)
class EDNS:
    """What a message says by EDNS (RFC 6891): the most bytes over UDP, flags ("DO"), options as numbers with bytes."""

    payload: int = 1232
    flags: str = ""
    options: tuple[tuple[int, bytes], ...] = ()
    version: int = 0

    def __repr__(self) -> str:
        return f"dns.EDNS({_arguments(self)})"


@dataclass(frozen=True, slots=True, repr=False)
class DNSMessage:
    """A query or a response.

    Records are text, as in a zone file: "example.org. 60 IN A 192.0.2.1". `flags` are "QR", "AA", "TC", "RD", "RA",
    "AD" and "CD", in this order. Over TCP a message has its length before it.
    """

    id: int
    questions: tuple[Question, ...] = ()
    answers: tuple[str, ...] = ()
    authority: tuple[str, ...] = ()
    additional: tuple[str, ...] = ()
    flags: str = ""
    rcode: str = "NOERROR"
    opcode: str = "QUERY"
    edns: EDNS | None = None
    over_tcp: bool = False

    @property
    def is_response(self) -> bool:
        """Whether it is a response."""
        return "QR" in self.flags.split()

    @property
    def is_truncated(self) -> bool:
        """Whether it says that it is truncated, so that the client asks again over TCP."""
        return "TC" in self.flags.split()

    @property
    def question(self) -> Question:
        """The first question. Raises UsageError if there is none."""
        if not self.questions:
            raise UsageError(f"{self!r}.question: the message has no question; `questions` is empty")
        return self.questions[0]

    def __bytes__(self) -> bytes:
        return _encoded(self)

    def __str__(self) -> str:
        return f"{self._response() if self.is_response else self._query()} (id {self.id})"

    def __repr__(self) -> str:
        return f"dns.DNSMessage({_arguments(self)})"

    def _query(self) -> str:
        asked = ", ".join(map(str, self.questions)) or "for nothing"
        return f"{self.opcode.lower()} {asked}"

    def _response(self) -> str:
        records = ", ".join(map(_shown, self.answers[:MOST]))
        more = f", ... ({len(self.answers)} in all)" if len(self.answers) > MOST else ""
        return f"{self.rcode}{' truncated' if self.is_truncated else ''}{records and ' '}{records}{more}"


def _shown(record: str) -> str:
    """Return a record without its name: an address, or the type and the data."""
    kind, _, data = record.split(" ", 3)[-1].partition(" ")
    return data if kind in ADDRESSES else f"{kind} {data}"


def _arguments(value: EDNS | DNSMessage) -> str:
    """Return the arguments that make a value."""
    given = [(each, getattr(value, each.name)) for each in fields(value)]
    return ", ".join(f"{each.name}={found!r}" for each, found in given if found != each.default)


def _encoded(message: DNSMessage) -> bytes:
    """Return the bytes of a message. Raises UsageError for values that have no encoding."""
    try:
        wire = bytes(_made(message).to_wire(max_size=LARGEST))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{message!r} can't be encoded: {type(error).__name__}: {error}") from error
    return len(wire).to_bytes(2, "big") + wire if message.over_tcp else wire


def _made(message: DNSMessage) -> Any:
    """Return a value as a message of dnspython."""
    made = dnspython("message").Message(message.id)
    made.flags = dnspython("flags").from_text(message.flags)
    made.set_opcode(dnspython("opcode").from_text(message.opcode))
    if message.edns is not None:
        made.use_edns(*_edns_arguments(message.edns))
    made.set_rcode(dnspython("rcode").from_text(message.rcode))
    made.question.extend(map(_question, message.questions))
    made.answer.extend(map(record_of, message.answers))
    made.authority.extend(map(record_of, message.authority))
    made.additional.extend(map(record_of, message.additional))
    return made


def _edns_arguments(edns: EDNS) -> tuple[Any, ...]:
    options = [dnspython("edns").GenericOption(number, data) for number, data in edns.options]
    return edns.version, dnspython("flags").edns_from_text(edns.flags), edns.payload, None, options


def _question(question: Question) -> Any:
    kind = dnspython("rdatatype").from_text(question.type)
    rdclass = dnspython("rdataclass").from_text(question.rdclass)
    return dnspython("rrset").RRset(dnspython("name").from_text(absolute(question.name)), rdclass, kind)
