"""The encoding of DNS messages (RFC 1035, section 4), by dnspython."""

from __future__ import annotations

from typing import Any

from windsock.errors import UsageError
from windsock.protocols.dns.messages import EDNS, DNSMessage, Question, absolute
from windsock.protocols.errors import DecodeError
from windsock.protocols.registry import library

__all__ = ["checked_word", "decoded", "dnspython", "encoded", "record", "without_prefix"]

LARGEST = 0xFFFF


def dnspython(module: str) -> Any:
    """Return a module of dnspython. Raises UsageError if it is not installed."""
    return library(f"dns.{module}", "dns")


dnspython("message")  # if it is missing, that is an error before a server begins


def checked_word(module: str, call: str, word: Any) -> str:
    """Return the name of a type or an rcode in upper case. Raises UsageError if dnspython's module has no such name."""
    try:
        dnspython(module).from_text(word)
        return str(word).upper()
    except UsageError:
        raise
    except Exception as error:
        what = "an rcode, such as 'NXDOMAIN'" if module == "rcode" else "a type of records, such as 'MX'"
        raise UsageError(f"{call}: {word!r} is not known; expected the name of {what}") from error


def without_prefix(data: bytes) -> bytes:
    """Return a message without the two bytes of its length, if it has them."""
    return data[2:] if int.from_bytes(data[:2], "big") == len(data) - 2 else data


def decoded(data: bytes) -> DNSMessage:
    """Return a message, with the length before it or without. Raises DecodeError.

    The id of a datagram may look like its length, but then the rest is no message.
    """
    wire = without_prefix(data)
    try:
        return _decoded(wire, over_tcp=len(wire) < len(data))
    except DecodeError:
        if len(wire) == len(data):
            raise
        try:
            return _decoded(data, over_tcp=False)
        except DecodeError:
            pass
        raise


def _decoded(wire: bytes, *, over_tcp: bool) -> DNSMessage:
    parse = dnspython("message").from_wire
    try:
        return _value(parse(wire, one_rr_per_rrset=True), over_tcp=over_tcp)
    except DecodeError:
        raise
    except Exception as error:  # dnspython has many kinds, and some data raise those of Python
        raise DecodeError(f"{type(error).__name__}: {error}") from error


def _value(found: Any, *, over_tcp: bool) -> DNSMessage:
    """Return a message of dnspython as a value."""
    opcode = dnspython("opcode").to_text(found.opcode())
    if opcode == "UPDATE":
        raise DecodeError("the opcode UPDATE, whose messages are of another form (RFC 2136)")
    return DNSMessage(
        found.id,
        tuple(Question(_name(each.name), _type(each.rdtype), _class(each.rdclass)) for each in found.question),
        _texts(found.answer),
        _texts(found.authority),
        _texts(found.additional),
        flags=dnspython("flags").to_text(found.flags),
        rcode=dnspython("rcode").to_text(found.rcode()),
        opcode=opcode,
        edns=_edns(found),
        over_tcp=over_tcp,
    )


def _edns(found: Any) -> EDNS | None:
    if found.edns < 0:
        return None
    options = tuple((int(each.otype), each.to_wire()) for each in found.options)
    return EDNS(int(found.payload), dnspython("flags").edns_to_text(found.ednsflags), options, found.edns)


def _texts(section: Any) -> tuple[str, ...]:
    return tuple(each.to_text() for each in section)


def _name(name: Any) -> str:
    return name.to_text(omit_final_dot=True)  # type: ignore[no-any-return]  # of dnspython


def _type(number: int) -> str:
    return dnspython("rdatatype").to_text(number)  # type: ignore[no-any-return]  # of dnspython


def _class(number: int) -> str:
    return dnspython("rdataclass").to_text(number)  # type: ignore[no-any-return]  # of dnspython


def encoded(message: DNSMessage) -> bytes:
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
    made.answer.extend(map(_record, message.answers))
    made.authority.extend(map(_record, message.authority))
    made.additional.extend(map(_record, message.additional))
    return made


def _edns_arguments(edns: EDNS) -> tuple[Any, ...]:
    options = [dnspython("edns").GenericOption(number, data) for number, data in edns.options]
    return edns.version, dnspython("flags").edns_from_text(edns.flags), edns.payload, None, options


def _question(question: Question) -> Any:
    kind = dnspython("rdatatype").from_text(question.type)
    rdclass = dnspython("rdataclass").from_text(question.rdclass)
    return dnspython("rrset").RRset(dnspython("name").from_text(absolute(question.name)), rdclass, kind)


def _record(text: str) -> Any:
    """Return a record of a zone file. Its names are absolute, with a dot at their end or without."""
    name, ttl, rdclass, kind, data = text.split(" ", 4)
    root = dnspython("name").root
    return dnspython("rrset").from_text_list(name, int(ttl), rdclass, kind, [data], origin=root, relativize=False)


def record(name: str, ttl: int, data: str) -> str:
    """Return the text of a record of the class IN; `data` is its type and what it holds. Raises UsageError."""
    try:
        text: str = _record(f"{absolute(name)} {ttl} IN {data}").to_text()
        return text
    except UsageError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(
            f"dns: {data!r} is no record ({reason}); expected an address, or a type and its data: 'MX 10 mail.example'"
        ) from error
