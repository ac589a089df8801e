"""The framings that have a short name: `framing="lines"`, a delimiter, a size."""

from __future__ import annotations

from windsock.errors import UsageError
from windsock.recording.framing import AsItArrives, Delimiter, FixedSize, Framing, Lines, UntilEof
from windsock.recording.record_marking import RecordMarking

__all__ = ["framing_from"]

EXPECTED = (
    "'lines', 'eof', a delimiter (bytes), a size (int), LengthPrefix(size=4, byteorder='big'), 'rpc', 'any', "
    "or a function from bytes to the size of the first message or None"
)


def framing_from(value: object) -> Framing | None:
    """Return the framing for a value such as "lines"; None for None.

    Raises UsageError for any other value.
    """
    if value is None or callable(value):
        return value
    if isinstance(value, bytes):
        return Delimiter(value)
    if value == "lines":
        return Lines()
    if value == "eof":
        return UntilEof()
    if value == "rpc":
        return RecordMarking()
    if value == "any":
        return AsItArrives()
    if isinstance(value, int) and not isinstance(value, bool):
        return FixedSize(value)
    raise UsageError(f"framing={value!r}: expected {EXPECTED}")
