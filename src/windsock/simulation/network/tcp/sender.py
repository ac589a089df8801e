"""One direction of a TCP connection: bytes wait until the other end has room for them, then its end follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from windsock.net.callbacks import nothing
from windsock.simulation.network.byte_queue import ByteQueue
from windsock.simulation.network.links.wire import Wire

__all__ = ["Receiver", "Sender"]

SEGMENT = 65_536
"""The most bytes that travel at once."""


class Receiver(Protocol):
    """The end of a connection that a sender sends to."""

    def feed_by(self, on_room: Callable[[], object]) -> None:
        """Set the function to call when there is more room for received bytes."""
        ...

    def room(self) -> int:
        """Return how many bytes fit into the receive buffer."""
        ...

    def arrive(self, data: bytes, *, is_urgent: bool) -> None:
        """Take data. The last byte may be urgent."""
        ...

    def arrive_end(self) -> None:
        """Take the end of the stream (FIN)."""
        ...

    def arrive_reset(self) -> None:
        """Take a reset (RST)."""
        ...


class Sender:
    """Sends from one end of a connection. `on_progress` is called when bytes arrive, `on_end` when the end does."""

    __slots__ = (
        "_end_is_sent",
        "_has_end",
        "_on_end",
        "_on_progress",
        "_queue",
        "_target",
        "_travelling",
        "_urgent",
        "_wire",
    )

    def __init__(
        self, wire: Wire, target: Receiver, on_progress: Callable[[], object], on_end: Callable[[], object] = nothing
    ) -> None:
        self._wire = wire
        self._target = target
        self._on_progress = on_progress
        self._on_end = on_end
        self._queue = ByteQueue()
        self._travelling = 0
        self._urgent = 0
        """The number of waiting bytes up to the urgent one and with it; 0 if none is urgent."""
        self._has_end = self._end_is_sent = False

    @property
    def unsent(self) -> int:
        """The number of bytes that have not arrived: what fills the send buffer (SIOCOUTQ, tcp(7))."""
        return self._queue.size + self._travelling

    def write(self, data: bytes, *, is_urgent: bool) -> None:
        """Send data as soon as the other end has room. The last byte may be urgent."""
        if not (is_urgent or self._queue.size) and self._wire.is_immediate() and len(data) <= self._target.room():
            self._target.arrive(data, is_urgent=False)
            return
        self._queue.append(data)
        if is_urgent:
            self._urgent = self._queue.size
        self.pump()

    def end(self) -> None:
        """Send the end of the stream once all data is sent."""
        self._has_end = True
        self.pump()

    def reset(self) -> None:
        """Drop what waits, and send a reset."""
        self.drop()
        self._wire.carry(0, self._target.arrive_reset)

    def drop(self) -> None:
        """Drop what waits: the connection is over."""
        self._queue.clear()
        self._has_end = False

    def pump(self) -> None:
        """Send what the other end has room for."""
        while self._queue.size:
            size = min(self._queue.size, self._target.room() - self._travelling, SEGMENT, self._urgent or SEGMENT)
            if size <= 0:
                return
            self._transmit(self._queue.take(size), is_urgent=size == self._urgent)
        if self._has_end and not self._end_is_sent:
            self._end_is_sent = True
            self._wire.carry(0, self._deliver_end)

    def _transmit(self, data: bytes, *, is_urgent: bool) -> None:
        self._urgent = max(0, self._urgent - len(data))
        self._travelling += len(data)

        def deliver() -> None:
            self._travelling -= len(data)
            self._target.arrive(data, is_urgent=is_urgent)
            self._on_progress()

        self._wire.carry(len(data), deliver)

    def _deliver_end(self) -> None:
        self._target.arrive_end()
        self._on_end()
