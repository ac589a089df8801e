"""One request in progress as a greenlet, and the deadlines of greenlets that wait."""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import Any

from greenlet import greenlet

from windsock.net.system import monotonic
from windsock.servers.selecting.readiness import IN, OUT

__all__ = ["READING", "RUNNING", "WAITING", "WRITING", "Alarms", "RequestGreenlet"]

READING, WRITING, RUNNING, WAITING = IN, OUT, 0, -1


class RequestGreenlet(greenlet):
    """One request in progress: a greenlet, its current activity, and since when."""

    __slots__ = ("client_address", "deadline", "descriptor", "doing", "hub", "request", "since", "timer", "traffic")

    def __init__(self, hub: Any, request: Any, client_address: Any, traffic: Any) -> None:
        super().__init__(hub.run, hub.home)
        self.hub: Any = hub
        self.request: Any = request
        self.client_address: Any = client_address
        self.traffic: Any = traffic
        """The counter of bytes: an object with `received` and `sent`."""
        self.doing: int = RUNNING
        self.since: float = monotonic()
        self.descriptor: int = -1
        self.deadline: float | None = None
        self.timer: float | None = None
        """The time at which `Alarms` next checks its deadline."""


class Alarms:
    """The deadlines of greenlets that wait.

    A heap with usually one entry for each greenlet. When an entry is due and the greenlet's real deadline is later,
    the entry is pushed again, so a handler with a timeout does not fill the heap with old entries.
    """

    def __init__(self) -> None:
        self.next: float = math.inf
        """The time of the next check at the latest, in monotonic seconds."""
        self._heap: list[tuple[float, int, RequestGreenlet]] = []
        self._serial = count()

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, turn: RequestGreenlet, deadline: float | None) -> None:
        """Set a greenlet's deadline for its next wait."""
        turn.deadline = deadline
        if deadline is not None and (turn.timer is None or deadline < turn.timer):
            self._push(turn, deadline)

    def due(self, now: float) -> list[RequestGreenlet]:
        """Return the greenlets whose deadline has passed."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            when, _, turn = heapq.heappop(self._heap)
            if turn.timer != when:
                continue  # an entry replaced by an earlier one
            turn.timer = None
            if turn.dead or turn.deadline is None:
                continue
            if turn.deadline > now:
                self._push(turn, turn.deadline)
            else:
                found.append(turn)
        self._look_ahead()
        return found

    def _push(self, turn: RequestGreenlet, when: float) -> None:
        turn.timer = when
        heapq.heappush(self._heap, (when, next(self._serial), turn))
        self._look_ahead()

    def _look_ahead(self) -> None:
        self.next = self._heap[0][0] if self._heap else math.inf
