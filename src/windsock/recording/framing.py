"""Framings: values that look at bytes and find the end of a message. No I/O.

A framing is called with bytes that have arrived and not yet been cut, and returns the size of the first message in
bytes, or None if that is not known yet. A size may be more than has arrived: the rest will be waited for. Any
function of this kind is a framing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from windsock.errors import UsageError, WindsockError
from windsock.recording.errors import FramingError, MessageTooLong
from windsock.scripts.checks import MessageFraming

__all__ = [
    "AsItArrives",
    "Cutter",
    "Delimiter",
    "FixedSize",
    "Framing",
    "LengthPrefix",
    "Lines",
    "UntilEof",
    "check_limit",
    "framing_from",
    "is_framed",
]

Framing: TypeAlias = Callable[[bytes], int | None]

LIMIT = 16 * 1024 * 1024
"""The most bytes of a message, unless its framing has a `limit` of its own."""
WINDOW = 4096
"""The bytes that a framing is shown at first."""
SHOWN = 32
"""The bytes of a message that an error shows."""
COMPACT = 64 * 1024
"""The most bytes that were cut off and are still kept, unless they are half of all."""


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


EXPECTED = (
    "'lines', 'eof', a delimiter (bytes), a size (int), LengthPrefix(size=4, byteorder='big'), 'rpc', 'any', "
    "or a function from bytes to the size of the first message or None"
)


def is_framed(framing: Framing | None) -> bool:
    """Return whether a framing finds the ends of messages."""
    return framing is not None and not isinstance(framing, AsItArrives)


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
        from windsock.recording.record_marking import RecordMarking

        return RecordMarking()
    if value == "any":
        return AsItArrives()
    if isinstance(value, int) and not isinstance(value, bool):
        return FixedSize(value)
    raise UsageError(f"framing={value!r}: expected {EXPECTED}")


class Cutter:
    """Cuts messages out of bytes as they arrive; how the bytes were split on the way does not matter.

    `connection` is the index of their connection, for errors. Looks at each byte a bounded number of times, whether
    messages are short and many or long and few. For a message longer than its framing's `limit`, `cut` and `skip` raise
    MessageTooLong.
    """

    def __init__(self, framing: Framing, connection: int | None = None) -> None:
        self._framing = framing
        self._connection = connection
        self._offset = 0
        self._limit: int = getattr(framing, "limit", LIMIT)
        self._delimiter = b"\n" if isinstance(framing, Lines) else getattr(framing, "delimiter", b"")
        self._is_delimited = isinstance(framing, Lines | Delimiter)
        self._bytes = bytearray()
        self._start = 0
        self._wanted = 1  # the bytes needed before the next look
        self._searched = 0

    def __len__(self) -> int:
        """Return the number of bytes left, which make no complete message."""
        return len(self._bytes) - self._start

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._bytes += data

    def cut(self) -> bytes | None:
        """Cut off the first message and return it; None if it is not complete.

        Raises FramingError, at each call, for bytes that are no message, and UsageError if the framing returns
        anything but None or a size of 1 or more.
        """
        size = self._size()
        if size is None:
            return None
        message = bytes(self._bytes[self._start : self._start + size])
        self._drop(size)
        return message

    def skip(self) -> int | None:
        """Cut off the first message and return only its size; None if it is not complete. Raises as `cut()`."""
        size = self._size()
        if size is not None:
            self._drop(size)
        return size

    def rest(self) -> bytes:
        """Return and remove the remaining bytes."""
        left = bytes(self._bytes[self._start :])
        self._offset += len(left)
        self._bytes.clear()
        self._start = 0
        return left

    @property
    def waits_for(self) -> str:
        """Describe what an incomplete message waits for."""
        if self._is_delimited:
            return "a line end" if isinstance(self._framing, Lines) else f"the delimiter {self._delimiter!r}"
        missing = self._wanted - len(self)
        return f"{missing} more" if missing > 1 else "the rest of the message"

    def _size(self) -> int | None:
        there = len(self)
        if there < self._wanted:
            return None
        size = self._find(there) if self._is_delimited else self._ask(there)
        if (size or there) > self._limit:
            data = bytes(self._bytes[self._start : self._start + WINDOW])
            raise MessageTooLong(
                self._framing, self._limit, size, data, connection=self._connection, offset=self._offset
            )
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
        """Call the framing with a few bytes first: most messages are short, and copies cost time."""
        window = WINDOW
        while True:
            data = bytes(self._bytes[self._start : self._start + window])
            size = self._size_by_framing(data)
            if size is not None or window >= there:
                return size
            window *= 16

    def _size_by_framing(self, data: bytes) -> int | None:
        try:
            return checked_size(self._framing, data)
        except FramingError as error:
            raise error.at(self._connection, self._offset) from error.__cause__
        except WindsockError:
            raise
        except Exception as error:
            problem = FramingError(self._framing, data[:SHOWN], f"it raised {type(error).__name__}: {error}")
            raise problem.at(self._connection, self._offset) from error

    def _drop(self, size: int) -> None:
        self._offset += size
        self._start += size
        self._wanted = 1
        self._searched = 0
        if self._start == len(self._bytes) or self._start > max(COMPACT, len(self._bytes) // 2):
            del self._bytes[: self._start]
            self._start = 0


def check_limit(limit: Any) -> None:
    """Raise UsageError for what is no limit of a framing."""
    if type(limit) is not int or limit < 1:
        raise UsageError(f"limit={limit!r}: expected the most bytes of a message, 1 or more")


def checked_size(framing: Framing, data: bytes) -> int | None:
    """Return the framing's result. Raises UsageError if it is anything but None or a size of 1 or more."""
    size = framing(data)
    if size is None or (type(size) is int and size >= 1):
        return size
    raise UsageError(
        f"framing {framing!r} returned {size!r} for {data[:SHOWN]!r}: expected None, or a size of 1 or more"
    )
