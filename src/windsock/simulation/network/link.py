"""The link between two hosts: how long its traffic takes."""

from __future__ import annotations

__all__ = ["Direction", "Link"]


class Direction:
    """One direction of a link: `latency` in seconds, `bandwidth` in bytes per second (None: no limit)."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.bandwidth: float | None = None
        self._free_at = 0.0

    @property
    def is_immediate(self) -> bool:
        """Whether nothing takes time here."""
        return not self.latency and self.bandwidth is None

    def arrival(self, size: int, now: float) -> float:
        """Reserve the link for `size` bytes; return when the last of them arrives."""
        self._free_at = max(self._free_at, now)
        if self.bandwidth is not None:
            self._free_at += size / self.bandwidth
        return self._free_at + self.latency


class Link:
    """The two directions between two hosts, or of a host to itself."""

    def __init__(self) -> None:
        self.directions = (Direction(), Direction())

    def set(self, *, latency: float, bandwidth: float | None) -> None:
        """Set the same values for both directions. What is on its way is not affected."""
        for each in self.directions:
            each.latency = latency
            each.bandwidth = bandwidth
