"""What a Unix stream socket has received and its owner has not read: bytes, and what came along with some of them."""

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
    """Received bytes in order. A read that meets ancillary data returns it, and ends with the bytes that it is for."""

    def __init__(self) -> None:
        self._bytes = ByteQueue()
        self._along: deque[Along] = deque()
        self._read = 0

    def __len__(self) -> int:
        return self._bytes.size

    def append(self, data: bytes, ancillary: Ancillary) -> None:
        """Add what one call has sent."""
        if ancillary and data:
            start = self._read + self._bytes.size
            self._along.append(Along(start, start + len(data), ancillary))
        self._bytes.append(data)

    def take(self, size: int, flags: int) -> Message:
        """Return what recvmsg() does."""
        is_peeking = bool(flags & PEEK)
        ancillary: Ancillary = []
        if self._along:
            size, ancillary = self._until_next(size, is_peeking)
        if is_peeking:
            return self._bytes.peek(size), ancillary, 0, None
        data = self._bytes.take(size)
        self._read += len(data)
        return data, ancillary, 0, None

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
