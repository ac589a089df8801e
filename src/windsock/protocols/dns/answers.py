"""Answers to queries: `dns.answer("192.0.2.1", ttl=60)`, `dns.nxdomain()`. They take the id and the question."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address

from windsock.errors import UsageError
from windsock.protocols.dns.library import checked_word, record
from windsock.protocols.dns.messages import EDNS, DNSMessage
from windsock.protocols.dns.patterns import PROTOCOL
from windsock.protocols.values import MessageAnswer

__all__ = ["DNSAnswer", "answer", "error", "nxdomain", "records_of", "refused", "respond", "servfail", "truncated"]

USUAL = ("NXDOMAIN", "SERVFAIL", "REFUSED")
"""The rcodes that have a function of their own."""
SMALLEST = 512
"""The most bytes of a datagram to a client that has not said more by EDNS."""


@dataclass(frozen=True, slots=True, repr=False)
class DNSAnswer(MessageAnswer):
    """Makes the response to a query: it takes the query's id and question, and the length before it over TCP."""

    records: tuple[str, ...] = ()
    ttl: int = 60
    rcode: str = "NOERROR"
    truncated: bool = False
    """Whether it is truncated over UDP."""
    wrong_id: bool = False
    """Whether it has another id than the query."""
    edns: bool = True
    """Whether it has EDNS if the query has."""

    def __call__(self, message: bytes) -> DNSMessage:
        """Return the response to a query. Raises DecodeError for a message that is none."""
        query = PROTOCOL.decoded(message)
        owner = query.questions[0].name if query.questions else "."
        made = respond(query, records_of(owner, self.records, self.ttl), self.rcode)
        if self.wrong_id:
            made = replace(made, id=made.id ^ 1)
        if not self.edns:
            made = replace(made, edns=None)
        return _cut(made) if self.truncated and not made.over_tcp else made

    def __repr__(self) -> str:
        name = self.rcode.lower() if self.rcode in USUAL else "truncated" if self.truncated else "answer"
        is_other = self.rcode not in (*USUAL, "NOERROR")
        words = [repr(self.rcode)] if is_other else list(map(repr, self.records))
        words += [f"ttl={self.ttl}"] if self.ttl != 60 else []
        words += ["wrong_id=True"] if self.wrong_id else []
        words += [] if self.edns else ["edns=False"]
        return f"dns.{'error' if is_other else name}({', '.join(words)})"


def respond(query: DNSMessage, answers: Iterable[str], rcode: str = "NOERROR") -> DNSMessage:
    """Return the response to a query with these records; one that is too large for a datagram is truncated."""
    flags = " ".join(["QR", "AA", *(["RD"] if "RD" in query.flags.split() else []), "RA"])
    edns = None if query.edns is None else EDNS()
    made = DNSMessage(
        query.id, query.questions, tuple(answers), flags=flags, rcode=rcode, edns=edns, over_tcp=query.over_tcp
    )
    largest = max(SMALLEST, query.edns.payload if query.edns is not None else 0)
    return made if made.over_tcp or len(bytes(made)) <= largest else _cut(made)


def _cut(made: DNSMessage) -> DNSMessage:
    return replace(made, answers=(), flags=made.flags.replace("AA", "AA TC"))


def answer(*records: str, ttl: int = 60, wrong_id: bool = False, edns: bool = True) -> DNSAnswer:
    """Return an answer with these records, or with none: the name exists, but has no such records.

    A record is an address, or a type and its data: "MX 10 mail.example.org". Records after "CNAME www.example.net" are
    those of that name. `ttl` is seconds.
    """
    return _checked(DNSAnswer(records, ttl, wrong_id=wrong_id, edns=edns))


def truncated(*records: str, ttl: int = 60, edns: bool = True) -> DNSAnswer:
    """Return an answer that is truncated over UDP, with the flag TC and no records; over TCP it has all of them."""
    return _checked(DNSAnswer(records, ttl, truncated=True, edns=edns))


def nxdomain(*, wrong_id: bool = False, edns: bool = True) -> DNSAnswer:
    """Return the answer that there is no such name."""
    return error("NXDOMAIN", wrong_id=wrong_id, edns=edns)


def servfail(*, wrong_id: bool = False, edns: bool = True) -> DNSAnswer:
    """Return the answer of a server that failed."""
    return error("SERVFAIL", wrong_id=wrong_id, edns=edns)


def refused(*, wrong_id: bool = False, edns: bool = True) -> DNSAnswer:
    """Return the answer of a server that refuses."""
    return error("REFUSED", wrong_id=wrong_id, edns=edns)


def error(rcode: str, *, wrong_id: bool = False, edns: bool = True) -> DNSAnswer:
    """Return an answer with another rcode and without records: `dns.error("NOTIMP")`."""
    known = checked_word("rcode", f"dns.error({rcode!r})", rcode)
    return DNSAnswer(rcode=known, wrong_id=wrong_id, edns=edns)


def _checked(made: DNSAnswer) -> DNSAnswer:
    if type(made.ttl) is not int or not 0 <= made.ttl < 1 << 31:
        raise UsageError(f"dns.answer(ttl={made.ttl!r}): expected a number of seconds, from 0 to 2147483647")
    records_of("example", made.records, made.ttl)
    return made


def records_of(name: str, records: Iterable[str], ttl: int) -> list[str]:
    """Return records of a name, in the form of a zone file. Raises UsageError."""
    found = []
    for each in records:
        found.append(record(name, ttl, _typed(each)))
        kind, _, target = found[-1].split(" ", 3)[-1].partition(" ")
        name = target if kind == "CNAME" else name
    return found


def _typed(data: str) -> str:
    """Return the data of a record with its type before it, which an address shows by itself."""
    try:
        return f"{'A' if ip_address(data).version == 4 else 'AAAA'} {data}"
    except ValueError:
        return str(data)
