"""Cutting messages out of a stream with a framing, whatever pieces it arrives in. No I/O."""

from __future__ import annotations

from collections import deque

from windsock.errors import UsageError, WindsockError
from windsock.recording.errors import FramingError, MessageTooLong
from windsock.recording.framing import LIMIT, Delimiter, EachRecord, Framing, Lines
from windsock.recording.protocol_framing import ProtocolFraming

__all__ = ["Cutter", "checked_size"]

WINDOW = 4096
"""The bytes that a framing is shown at first."""
SHOWN = 32
"""The bytes of a message that an error shows."""
COMPACT = 64 * 1024
"""The most bytes that were cut off and are still kept, unless they are half of all."""


class Cutter:
    """Cuts messages out of bytes as they arrive; how the bytes were split on the way does not matter.

    `connection` is the index of their connection, for errors. Looks at each byte a bounded number of times, whether
    messages are short and many or long and few. For a message longer than its framing's `limit`, `cut` and `skip` raise
    MessageTooLong.
    """

    def __init__(self, framing: Framing, connection: int | None = None) -> None:
        begun = framing.begin() if isinstance(framing, ProtocolFraming) else None
        self.framing: Framing = begun or framing
        """The framing, for this connection alone if its messages depend on those before."""
        self._passed = begun.passed if begun is not None and begun.has_state else None
        self._connection = connection
        self._offset = 0
        self._limit: int = getattr(framing, "limit", LIMIT)
        self._delimiter = b"\n" if isinstance(framing, Lines) else getattr(framing, "delimiter", b"")
        self._is_delimited = isinstance(framing, Lines | Delimiter)
        self._records: deque[int] | None = deque() if isinstance(framing, EachRecord) else None
        """The sizes of the records that are left: each piece that is fed is one."""
        self._bytes = bytearray()
        self._start = 0
        self._wanted = 1  # the bytes needed before the next look
        self._searched = 0

    @property
    def has_state(self) -> bool:
        """Whether the ends of messages depend on what has passed, also in the other direction."""
        return self._passed is not None

    def __len__(self) -> int:
        """Return the number of bytes left, which make no complete message."""
        return len(self._bytes) - self._start

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._bytes += data
        if self._records is not None and data:
            self._records.append(len(data))

    def cut(self) -> bytes | None:
        """Cut off the first message and return it; None if it is not complete.

        Raises FramingError, at each call, for bytes that are no message, and UsageError if the framing returns
        anything but None or a size of 1 or more.
        """
        size = self._size()
        if size is None:
            return None
        message = self._first(size)
        self._drop(size)
        return message

    def take(self, message: bytes) -> bool:
        """Cut off these bytes if they come next, without asking where a message ends; return whether they did."""
        if not self._bytes.startswith(message, self._start):
            return False
        self._drop(len(message))
        return True

    def skip(self) -> int | None:
        """Cut off the first message and return only its size; None if it is not complete. Raises as `cut()`."""
        size = self._size()
        if size is not None:
            self._drop(size)
        return size

    def _first(self, size: int) -> bytes:
        return bytes(self._bytes[self._start : self._start + size])

    def rest(self) -> bytes:
        """Return and remove the remaining bytes."""
        left = bytes(self._bytes[self._start :])
        self._offset += len(left)
        self._bytes.clear()
        self._start = 0
        return left

    @property
    def beginning(self) -> bytes:
        """The first bytes of an incomplete message: at most 64 KiB."""
        return self._first(min(len(self), COMPACT))

    @property
    def waits_for(self) -> str:
        """Describe what an incomplete message waits for."""
        if self._is_delimited:
            return "a line end" if isinstance(self.framing, Lines) else f"the delimiter {self._delimiter!r}"
        missing = self._wanted - len(self)
        return f"{missing} more" if missing > 1 else "the rest of the message"

    def _size(self) -> int | None:
        if self._records is not None:
            return self._records.popleft() if self._records else None
        there = len(self)
        if there < self._wanted:
            return None
        size = self._find(there) if self._is_delimited else self._ask(there)
        if (size or there) > self._limit:
            data = bytes(self._bytes[self._start : self._start + WINDOW])
            raise MessageTooLong(
                self.framing, self._limit, size, data, connection=self._connection, offset=self._offset
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
            return checked_size(self.framing, data)
        except FramingError as error:
            raise error.at(self._connection, self._offset) from error.__cause__
        except WindsockError:
            raise
        except Exception as error:
            problem = FramingError(self.framing, data[:SHOWN], f"it raised {type(error).__name__}: {error}")
            raise problem.at(self._connection, self._offset) from error

    def _drop(self, size: int) -> None:
        if self._passed is not None:
            self._passed(self._first(size))
        self._offset += size
        self._start += size
        self._wanted = 1
        self._searched = 0
        if self._start == len(self._bytes) or self._start > max(COMPACT, len(self._bytes) // 2):
            del self._bytes[: self._start]
            self._start = 0


def checked_size(framing: Framing, data: bytes) -> int | None:
    """Return the framing's result. Raises UsageError if it is anything but None or a size of 1 or more."""
    size = framing(data)
    if size is None or (type(size) is int and size >= 1):
        return size
    raise UsageError(
        f"framing {framing!r} returned {size!r} for {data[:SHOWN]!r}: expected None, or a size of 1 or more"
    )
