"""The datagrams that a socket has received and its owner has not read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from windsock.simulation.network.message_flags import PEEK, TRUNC
from windsock.simulation.network.simulated_socket import Ancillary, Message

__all__ = ["DatagramQueue", "ReceivedDatagram"]

OVERHEAD = 768
"""The bytes of memory that Linux counts for a datagram beside its data."""


@dataclass(frozen=True, slots=True)
class ReceivedDatagram:
    """A datagram and where it came from. `on_taken` is called when it is read, or dropped with its queue."""

    data: bytes
    sender: Any
    ancillary: Ancillary
    on_taken: Callable[[], object]

    @property
    def weight(self) -> int:
        """The bytes of memory that it takes."""
        return len(self.data) + OVERHEAD


class DatagramQueue:
    """Datagrams in order of arrival. `weight` is the memory that they take."""

    def __init__(self) -> None:
        self._queue: deque[ReceivedDatagram] = deque()
        self.weight: int = 0

    def __len__(self) -> int:
        return len(self._queue)

    def append(self, datagram: ReceivedDatagram) -> None:
        """Add a datagram at the end."""
        self._queue.append(datagram)
        self.weight += datagram.weight

    def take(self, size: int, flags: int) -> Message:
        """Return the first datagram as recvmsg() does; what is longer than `size` is lost, and MSG_TRUNC says so.

        Asked for MSG_TRUNC, the data is as long as it was sent, with zeros in the place of what is lost.
        """
        datagram = self._queue[0]
        if not flags & PEEK:
            self._queue.popleft()
            self.weight -= datagram.weight
            datagram.on_taken()
        data, lost = datagram.data[:size], len(datagram.data) - size
        if flags & TRUNC:
            data += bytes(max(0, lost))
        return data, datagram.ancillary, TRUNC if lost > 0 else 0, datagram.sender

    def first_size(self) -> int:
        """Return the size of the first datagram (FIONREAD); 0 if there is none."""
        return len(self._queue[0].data) if self._queue else 0

    def size(self) -> int:
        """Return the number of bytes of all datagrams."""
        return self.weight - OVERHEAD * len(self._queue)

    def clear(self) -> None:
        """Drop all datagrams."""
        while self._queue:
            self._queue.popleft().on_taken()
        self.weight = 0
