"""The decoding of DNS messages (RFC 1035, section 4), by dnspython."""

from __future__ import annotations

from typing import Any

from windsock.protocols.dns.library import dnspython
from windsock.protocols.dns.messages import EDNS, DNSMessage, Question
from windsock.protocols.errors import DecodeError

__all__ = ["decoded", "without_prefix"]


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
        tuple(map(_question, found.question)),
        _texts(found.answer),
        _texts(found.authority),
        _texts(found.additional),
        flags=dnspython("flags").to_text(found.flags),
        rcode=dnspython("rcode").to_text(found.rcode()),
        opcode=opcode,
        edns=_edns(found),
        over_tcp=over_tcp,
    )


def _question(found: Any) -> Question:
    type_name, class_name = dnspython("rdatatype").to_text(found.rdtype), dnspython("rdataclass").to_text(found.rdclass)
    return Question(found.name.to_text(omit_final_dot=True), type_name, class_name)


def _edns(found: Any) -> EDNS | None:
    if found.edns < 0:
        return None
    options = tuple((int(each.otype), each.to_wire()) for each in found.options)
    return EDNS(int(found.payload), dnspython("flags").edns_to_text(found.ednsflags), options, found.edns)


def _texts(section: Any) -> tuple[str, ...]:
    return tuple(each.to_text() for each in section)
