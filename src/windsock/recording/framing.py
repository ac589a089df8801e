"""Framings: values that look at bytes and find the end of a message. No I/O.

A framing is called with bytes that have arrived and not yet been cut, and returns the size of the first message in
bytes, or None if that is not known yet. A size may be more than has arrived: the rest will be waited for. Any
function of this kind is a framing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from windsock.errors import UsageError
from windsock.recording.errors import FramingError
from windsock.scripts.checks import MessageFraming

__all__ = [
    "AsItArrives",
    "Delimiter",
    "EachRecord",
    "FixedSize",
    "Framing",
    "LengthPrefix",
    "Lines",
    "UntilEof",
    "check_limit",
    "is_framed",
]

Framing: TypeAlias = Callable[[bytes], int | None]

LIMIT = 16 * 1024 * 1024
"""The most bytes of a message, unless its framing has a `limit` of its own."""


def _limit() -> Any:
    return field(default=LIMIT, kw_only=True, repr=False)


@dataclass(frozen=True, slots=True)
class Delimiter(MessageFraming):
    """Messages end with certain bytes, which are part of the message."""

    delimiter: bytes
    limit: int = _limit()

    def __post_init__(self) -> None:
        if not self.delimiter:
            raise UsageError("Delimiter(b''): a delimiter has at least one byte; use UntilEof() for none at all")
        check_limit(self.limit)

    def __call__(self, data: bytes) -> int | None:
        """Return the size of the first message, or None."""
        found = data.find(self.delimiter)
        return None if found < 0 else found + len(self.delimiter)


@dataclass(frozen=True, slots=True)
class Lines(MessageFraming):
    """Messages are lines; the line feed (and a carriage return before it) is part of the message."""

    limit: int = _limit()

    def __post_init__(self) -> None:
        check_limit(self.limit)

    def __call__(self, data: bytes) -> int | None:
        """Return the size of the first message, or None."""
        return data.find(b"\n") + 1 or None


@dataclass(frozen=True, slots=True)
class FixedSize(MessageFraming):
    """Messages of `size` bytes each."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError(f"FixedSize({self.size}): a message has at least 1 byte")

    @property
    def limit(self) -> int:
        """The most bytes of a message."""
        return self.size

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
    limit: int = _limit()

    def __post_init__(self) -> None:
        if self.size < 1 or self.byteorder not in ("big", "little"):
            raise UsageError(f"{self}: size is at least 1 byte, byteorder is 'big' or 'little'")
        check_limit(self.limit)

    def __call__(self, data: bytes) -> int | None:
        """Return the size of the first message, or None before its length has come."""
        if len(data) < self.size:
            return None
        length = int.from_bytes(data[: self.size], self.byteorder)
        total = length if self.includes_prefix else self.size + length
        if total < self.size:
            why = f"the length {length} is shorter than the prefix itself; expected {self.size} or more"
            raise FramingError(self, data[: self.size], why, value=length)
        return total

    def wrap(self, data: bytes) -> bytes:
        """Return a message with these bytes: its length, and then the bytes. Raises UsageError if it is too long."""
        length = len(data) + (self.size if self.includes_prefix else 0)
        if length >> (8 * self.size):
            raise UsageError(f"a message of {len(data)} bytes: its length does not fit a prefix of {self.size} bytes")
        return length.to_bytes(self.size, self.byteorder) + data


@dataclass(frozen=True, slots=True)
class UntilEof(MessageFraming):
    """Everything that a connection sends is one message."""

    limit: int = _limit()

    def __post_init__(self) -> None:
        check_limit(self.limit)

    def __call__(self, data: bytes) -> int | None:  # noqa: ARG002  # a framing takes the data
        """Return the size of the first message, or None."""
        return None


@dataclass(frozen=True, slots=True)
class AsItArrives(MessageFraming):
    """Each piece that arrives is a message for a fake, so its replies depend on timing.

    For `requests` it means no framing: everything that a connection sends is one request.
    """

    limit: int = _limit()

    def __post_init__(self) -> None:
        check_limit(self.limit)

    def __call__(self, data: bytes) -> int | None:
        """Return the size of the first message, or None."""
        return len(data) or None


@dataclass(frozen=True, slots=True)
class EachRecord(MessageFraming):
    """Each record is a message: the framing of servers whose sockets keep records (SOCK_SEQPACKET)."""

    limit: int = _limit()

    def __call__(self, data: bytes) -> int | None:
        """Return the size of the data: one record."""
        return len(data) or None


def is_framed(framing: Framing | None) -> bool:
    """Return whether a framing finds the ends of messages."""
    return framing is not None and not isinstance(framing, AsItArrives)


def check_limit(limit: Any) -> None:
    """Raise UsageError for what is no limit of a framing."""
    if type(limit) is not int or limit < 1:
        raise UsageError(f"limit={limit!r}: expected the most bytes of a message, 1 or more")
