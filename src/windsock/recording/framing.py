"""Where one message ends and the next begins: values that look at bytes; no I/O.

A framing is called with the bytes that have arrived and not yet been cut, and returns the size of the first
message in bytes, or None if it is not complete yet. Any function of that kind will do as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from windsock.errors import UsageError

__all__ = ["Delimiter", "FixedSize", "Framing", "LengthPrefix", "Lines", "UntilEof", "framing_from", "next_size"]

Framing: TypeAlias = Callable[[bytes], int | None]


@dataclass(frozen=True, slots=True)
class Delimiter:
    """Messages end with certain bytes, which are part of the message."""

    delimiter: bytes

    def __post_init__(self) -> None:
        if not self.delimiter:
            raise UsageError("Delimiter(b''): a delimiter has at least one byte; use UntilEof() for none at all")

    def __call__(self, data: bytes) -> int | None:
        """Return the size of the first message, or None."""
        found = data.find(self.delimiter)
        return None if found < 0 else found + len(self.delimiter)


@dataclass(frozen=True, slots=True)
class Lines:
    """Messages are lines; the line feed (and a carriage return before it) is part of the message."""

    def __call__(self, data: bytes) -> int | None:
        """Return the size of the first message, or None."""
        return data.find(b"\n") + 1 or None


@dataclass(frozen=True, slots=True)
class FixedSize:
    """Messages of so many bytes each."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError(f"FixedSize({self.size}): a message has at least 1 byte")

    def __call__(self, data: bytes) -> int | None:
        """Return the size of the first message, or None."""
        return self.size if len(data) >= self.size else None


@dataclass(frozen=True, slots=True)
class LengthPrefix:
    """Messages start with their length, an unsigned integer of `size` bytes.

    `includes_prefix`: whether the length counts its own bytes too.
    """

    size: int = 4
    byteorder: Literal["big", "little"] = "big"
    includes_prefix: bool = False

    def __post_init__(self) -> None:
        if self.size < 1 or self.byteorder not in ("big", "little"):
            raise UsageError(f"{self}: size is at least 1 byte, byteorder is 'big' or 'little'")

    def __call__(self, data: bytes) -> int | None:
        """Return the size of the first message, or None."""
        if len(data) < self.size:
            return None
        length = int.from_bytes(data[: self.size], self.byteorder)
        total = length if self.includes_prefix else self.size + length
        if total < self.size:
            raise UsageError(f"{self}: the length {length} is shorter than the prefix itself, in {data[:32]!r}")
        return total if len(data) >= total else None


@dataclass(frozen=True, slots=True)
class UntilEof:
    """All that a connection sends is one message."""

    def __call__(self, data: bytes) -> int | None:  # noqa: ARG002  # a framing takes the data
        """Return the size of the first message, or None."""
        return None


EXPECTED = (
    "'lines', 'eof', a delimiter (bytes), a size (int), LengthPrefix(size=4, byteorder='big'), "
    "or a function from bytes to the size of the first message or None"
)


def framing_from(value: object) -> Framing | None:
    """Return the framing that a short spelling stands for; None stands for none.

    Raises UsageError for what is no framing.
    """
    if value is None or callable(value):
        return value
    if value == "lines":
        return Lines()
    if value == "eof":
        return UntilEof()
    if isinstance(value, bytes):
        return Delimiter(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return FixedSize(value)
    raise UsageError(f"framing={value!r}: expected {EXPECTED}")


def next_size(framing: Framing, data: bytes) -> int | None:
    """Return the size of the first message, None if it is incomplete; check what a framing says.

    Raises UsageError if it says anything but None or a size from 1 to what is there.
    """
    size = framing(data) if data else None
    if size is None or (type(size) is int and 1 <= size <= len(data)):
        return size
    raise UsageError(f"framing {framing!r} returned {size!r} for {data[:32]!r}: expected None or 1 to {len(data)}")
