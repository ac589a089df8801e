"""One direction of a route between two sockets: what is sent arrives in order, once its time has come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from windsock.simulation.network.timers import Timers

__all__ = ["Road", "Wire"]


class Road(Protocol):
    """One direction of a link, as far as a wire knows it."""

    @property
    def is_immediate(self) -> bool:
        """Return whether nothing takes time here."""
        ...

    def arrival(self, size: int, now: float) -> float:
        """Reserve the link for `size` bytes; return when the last of them arrives."""
        ...


class Wire:
    """One direction between two sockets. It delivers in the order of sending, also after its link has become faster."""

    __slots__ = ("_deliveries", "_latest", "_road", "_timers")

    def __init__(self, timers: Timers, road: Road) -> None:
        self._timers = timers
        self._road = road
        self._deliveries: deque[Callable[[], object]] = deque()
        self._latest = 0.0

    def is_immediate(self) -> bool:
        """Return whether what is sent now arrives at once."""
        return not self._deliveries and self._road.is_immediate

    def carry(self, size: int, deliver: Callable[[], object]) -> None:
        """Call `deliver` when `size` bytes have arrived at the other end: at once if nothing takes time."""
        if self.is_immediate():
            deliver()
            return
        self._latest = max(self._latest, self._road.arrival(size, self._timers.now()))
        self._deliveries.append(deliver)
        self._timers.call_at(self._latest, self._deliver_next)

    def _deliver_next(self) -> None:
        self._deliveries.popleft()()
