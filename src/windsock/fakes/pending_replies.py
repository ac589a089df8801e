"""Replies that are not due yet, each with its time; those with equal keys stay in order. No I/O, no clock."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

from windsock.scripts import Script

__all__ = ["NO_KEY", "PendingReplies", "PendingReply"]

NO_KEY = object()
"""The key of a reply that keeps no order."""


@dataclass(frozen=True, order=True, slots=True)
class PendingReply:
    """The reply to the message with this number, due at a monotonic time."""

    due: float
    number: int
    key: object = field(compare=False)
    plan: bytes | Script = field(compare=False)


class PendingReplies:
    """The pending replies of one connection."""

    def __init__(self) -> None:
        self._heap: list[PendingReply] = []

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def due(self) -> float:
        """When the next one is due; infinity if there is none."""
        return self._heap[0].due if self._heap else math.inf

    def holds_up(self, key: object) -> bool:
        """Return whether one with an equal key is pending."""
        return key is not NO_KEY and any(each.key == key for each in self._heap)

    def add(self, reply: PendingReply) -> None:
        """Add one, due no earlier than those with an equal key."""
        if reply.key is not NO_KEY:
            due = max((each.due for each in self._heap if each.key == reply.key), default=reply.due)
            reply = PendingReply(max(due, reply.due), reply.number, reply.key, reply.plan)
        heapq.heappush(self._heap, reply)

    def take(self, now: float) -> PendingReply | None:
        """Return the next one that is due, or None."""
        return heapq.heappop(self._heap) if self.due <= now else None
