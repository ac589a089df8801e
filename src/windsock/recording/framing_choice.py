"""The framings that have a short name: `framing="lines"`, a delimiter, a size, the name of a protocol."""

from __future__ import annotations

from windsock.errors import UsageError
from windsock.protocols.protocol import Protocol
from windsock.protocols.registry import protocol_from, protocol_named, unknown
from windsock.recording.framing import AsItArrives, Delimiter, EachRecord, FixedSize, Framing, Lines, UntilEof
from windsock.recording.protocol_framing import ProtocolFraming

__all__ = ["default_framing", "framing_from"]

EXPECTED = (
    "'lines', 'eof', a delimiter (bytes), a size (int), LengthPrefix(size=4, byteorder='big'), 'any', "
    "a protocol or its name, or a function from bytes to the size of the first message or None"
)


def framing_from(value: object) -> Framing | None:
    """Return the framing for a value such as "lines"; None for None.

    Raises UsageError for any other value.
    """
    if isinstance(value, Protocol) or (isinstance(value, type) and issubclass(value, Protocol)):
        return ProtocolFraming(protocol_from(value, f"framing={value!r}"))
    if value is None or callable(value):
        return value
    if isinstance(value, bytes):
        return Delimiter(value)
    if value == "lines":
        return Lines()
    if value == "eof":
        return UntilEof()
    if value == "any":
        return AsItArrives()
    if isinstance(value, int) and not isinstance(value, bool):
        return FixedSize(value)
    if isinstance(value, str) and value:
        return ProtocolFraming(_protocol(value))
    raise UsageError(f"framing={value!r}: expected {EXPECTED}")


def default_framing(transport: str | None) -> Framing | None:
    """Return the framing of a transport that keeps records; None for the others."""
    return EachRecord() if transport == "unix_seqpacket" else None


def _protocol(name: str) -> Protocol:
    found = protocol_named(name)
    if found is None:
        raise UsageError(f"framing={name!r}: {unknown(name)}; others are {EXPECTED}")
    return found
