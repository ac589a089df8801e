"""Where one message ends and the next begins: values that look at bytes; no I/O.

A framing is called with bytes that have arrived and not yet been cut, and returns the size of the first
message in bytes, or None if that is not known yet. A size may be more than what has arrived: the rest is waited
for. Any function of that kind will do as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from windsock.errors import UsageError
from windsock.steps.checks import MessageFraming

__all__ = ["Cutter", "Delimiter", "FixedSize", "Framing", "LengthPrefix", "Lines", "UntilEof", "framing_from"]

Framing: TypeAlias = Callable[[bytes], int | None]

WINDOW = 4096
"""Bytes that a framing is shown at first."""
COMPACT = 64 * 1024
"""Bytes that have been cut off and are still kept, at the most, if they are not half of all."""


@dataclass(frozen=True, slots=True)
class Delimiter(MessageFraming):
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
class Lines(MessageFraming):
    """Messages are lines; the line feed (and a carriage return before it) is part of the message."""

    def __call__(self, data: bytes) -> int | None:
        """Return the size of the first message, or None."""
        return data.find(b"\n") + 1 or None


@dataclass(frozen=True, slots=True)
class FixedSize(MessageFraming):
    """Messages of so many bytes each."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError(f"FixedSize({self.size}): a message has at least 1 byte")

    def __call__(self, data: bytes) -> int | None:  # noqa: ARG002  # a framing takes the data
        """Return the size of the first message."""
        return self.size


@dataclass(frozen=True, slots=True)
class LengthPrefix(MessageFraming):
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
        """Return the size of the first message, or None before its length has come."""
        if len(data) < self.size:
            return None
        length = int.from_bytes(data[: self.size], self.byteorder)
        total = length if self.includes_prefix else self.size + length
        if total < self.size:
            raise UsageError(f"{self}: the length {length} is shorter than the prefix itself, in {data[:32]!r}")
        return total


@dataclass(frozen=True, slots=True)
class UntilEof(MessageFraming):
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
    if isinstance(value, bytes):
        return Delimiter(value)
    if value == "lines":
        return Lines()
    if value == "eof":
        return UntilEof()
    if isinstance(value, int) and not isinstance(value, bool):
        return FixedSize(value)
    raise UsageError(f"framing={value!r}: expected {EXPECTED}")


class Cutter:
    """Cuts messages out of bytes as they arrive, the same however those were cut on their way.

    Looks at each byte a bounded number of times, whether messages are short and many or long and few.
    """

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._delimiter = b"\n" if isinstance(framing, Lines) else getattr(framing, "delimiter", b"")
        self._is_delimited = isinstance(framing, Lines | Delimiter)
        self._bytes = bytearray()
        self._start = 0
        self._wanted = 1  # bytes that must be there before it is worth another look
        self._searched = 0

    def __len__(self) -> int:
        """Return how many bytes are left that make no whole message."""
        return len(self._bytes) - self._start

    def feed(self, data: bytes) -> None:
        """Take bytes that have arrived."""
        self._bytes += data

    def cut(self) -> bytes | None:
        """Cut the first message off and return it; None if it is not complete.

        Raises UsageError if the framing says anything but None or a size of 1 or more.
        """
        size = self._size()
        if size is None:
            return None
        message = bytes(self._bytes[self._start : self._start + size])
        self._drop(size)
        return message

    def skip(self) -> int | None:
        """The same, and return only its size."""
        size = self._size()
        if size is not None:
            self._drop(size)
        return size

    def rest(self) -> bytes:
        """Return and drop what is left."""
        left = bytes(self._bytes[self._start :])
        self._bytes.clear()
        self._start = 0
        return left

    def _size(self) -> int | None:
        there = len(self)
        if there < self._wanted:
            return None
        size = self._find(there) if self._is_delimited else self._ask(there)
        if size is None or size > there:
            self._wanted = size or there + 1
            return None
        return size

    def _find(self, there: int) -> int | None:
        searched_before = max(0, self._searched - len(self._delimiter) + 1)
        found = self._bytes.find(self._delimiter, self._start + searched_before)
        self._searched = there
        return None if found < 0 else found - self._start + len(self._delimiter)

    def _ask(self, there: int) -> int | None:
        """Show the framing a little first: most messages are short, and copies cost time."""
        window = WINDOW
        while True:
            data = bytes(self._bytes[self._start : self._start + window])
            size = checked_size(self._framing, data)
            if size is not None or window >= there:
                return size
            window *= 16

    def _drop(self, size: int) -> None:
        self._start += size
        self._wanted = 1
        self._searched = 0
        if self._start == len(self._bytes) or self._start > max(COMPACT, len(self._bytes) // 2):
            del self._bytes[: self._start]
            self._start = 0


def checked_size(framing: Framing, data: bytes) -> int | None:
    """Return what the framing says; raise UsageError if it is anything but None or a size of 1 or more."""
    size = framing(data)
    if size is None or (type(size) is int and size >= 1):
        return size
    raise UsageError(f"framing {framing!r} returned {size!r} for {data[:32]!r}: expected None, or a size of 1 or more")
