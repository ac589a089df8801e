"""What a Unix stream socket has received and its owner has not read: bytes, what came along, and an urgent one."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from windsock.simulation.network.byte_queue import ByteQueue
from windsock.simulation.network.message_flags import PEEK
from windsock.simulation.network.simulated_socket import Ancillary, Message

__all__ = ["UnixInbox"]


class Along(NamedTuple):
    """Ancillary data of the bytes between two positions of the stream."""

    start: int
    end: int
    ancillary: Ancillary


class UnixInbox:
    """Received bytes in order. A read that meets ancillary data returns it, and ends with the bytes that it is for.

    At most one byte is urgent; a later one makes it an ordinary byte. Its place is marked until a read passes it.
    """

    def __init__(self) -> None:
        self._bytes = ByteQueue()
        self._along: deque[Along] = deque()
        self._read = 0
        self._mark: int | None = None
        """The position of the urgent byte, or of the byte behind it once it was taken."""
        self.has_urgent: bool = False
        """Whether there is an urgent byte that was not taken."""

    def __len__(self) -> int:
        return self._bytes.size

    def append(self, data: bytes, ancillary: Ancillary, *, is_urgent: bool = False) -> None:
        """Add what one call has sent. The last byte may be urgent."""
        if is_urgent:
            self._mark = self._read + self._bytes.size + len(data) - 1
            self.has_urgent = True
        if ancillary and data:
            start = self._read + self._bytes.size
            self._along.append(Along(start, start + len(data), ancillary))
        self._bytes.append(data)

    def take(self, size: int, flags: int, *, is_inline: bool) -> Message:
        """Return what recvmsg() does; stop before the mark, and skip the urgent byte if it comes first.

        Nothing is skipped if urgent data is in line (SO_OOBINLINE), and nothing is removed by peeking.
        """
        is_peeking = bool(flags & PEEK)
        ancillary: Ancillary = []
        if self._mark is not None and (ahead := self._mark - self._read):
            size = min(size, ahead)
        elif self._mark is not None:
            if not is_peeking:
                self._pass_mark(is_inline=is_inline)
            elif self.has_urgent and not is_inline:
                return self._bytes.peek(size, 1), [], 0, None
        if self._along:
            size, ancillary = self._until_next(size, is_peeking)
        if is_peeking:
            return self._bytes.peek(size), ancillary, 0, None
        data = self._bytes.take(size)
        self._read += len(data)
        return data, ancillary, 0, None

    def _pass_mark(self, *, is_inline: bool) -> None:
        if self.has_urgent and not is_inline:
            self._remove(0)
        self._mark = None
        self.has_urgent = False

    def take_urgent(self, *, is_peeking: bool) -> bytes:
        """Return the urgent byte, which must be there, and remove it unless peeking."""
        assert self._mark is not None
        position = self._mark - self._read
        if is_peeking:
            return self._bytes.peek(1, position)
        self.has_urgent = False
        return self._remove(position)

    def _remove(self, position: int) -> bytes:
        place = self._read + position
        self._along = deque(
            Along(each.start - (each.start > place), each.end - (each.end > place), each.ancillary)
            for each in self._along
        )
        return self._bytes.remove(position)

    def is_at_mark(self) -> bool:
        """Return whether the next byte is the urgent one, or follows it."""
        return self._mark == self._read

    def _until_next(self, size: int, is_peeking: bool) -> tuple[int, Ancillary]:
        """Return how much may be read at once, and what came along with it."""
        start, end, ancillary = self._along[0]
        size = min(size, end - self._read)
        if self._read + size <= start:
            return size, []
        if not is_peeking:
            self._along.popleft()
        return size, ancillary

    def size(self) -> int:
        """Return the number of bytes."""
        return self._bytes.size
