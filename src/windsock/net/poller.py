"""Waiting for descriptors: as long as needed, or precisely until a given time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from windsock.net import virtual
from windsock.net.deadlines import LONGEST
from windsock.net.system import monotonic, patched_by_gevent, select

__all__ = ["SPIN", "Poller", "lead"]

SPIN = 0.0002
"""Seconds before a timer during which the thread stays awake: a sleep ends about 0.1 ms late."""
LEAD = 0.0002
MOST_DESCRIPTORS_OF_SELECT = 1024


def lead() -> float:
    """Return how many seconds before a timer to prepare what it does: waking up takes time, but not in a world."""
    return 0.0 if virtual.is_live() else LEAD


class Poller:
    """Waits with epoll(7) if available, else with poll(2); precisely until a given time."""

    def __init__(self) -> None:
        self._is_epoll = hasattr(select, "epoll") and not patched_by_gevent()  # which can't wait for an epoll
        make: Callable[[], Any] = select.epoll if self._is_epoll else select.poll
        self._poll = make()
        self._descriptor: int = self._poll.fileno() if self._is_epoll else -1
        self.register, self.modify, self.unregister = self._poll.register, self._poll.modify, self._poll.unregister

    def wait(self, until: float | None, *, is_exact: bool = True) -> list[tuple[int, int]]:
        """Return what is ready, or an empty list shortly before `until`; if not exact, shortly after."""
        if until is None:
            return self._poll.poll()  # type: ignore[no-any-return]  # two classes with the same methods
        left = min(until - monotonic(), LONGEST)
        if virtual.is_live():  # which waits exactly
            return self._poll.poll(max(0.0, left if self._is_epoll else left * 1000))  # type: ignore[no-any-return]  # as above
        if not is_exact:
            whole = max(0, math.ceil(left * 1000))
            return self._poll.poll(whole / 1000 if self._is_epoll else whole)  # type: ignore[no-any-return]  # as above
        whole = int((left - SPIN) * 1000)
        if whole >= 1:
            return self._poll.poll(whole / 1000 if self._is_epoll else whole)  # type: ignore[no-any-return]  # as above
        if left > SPIN and 0 <= self._descriptor < MOST_DESCRIPTORS_OF_SELECT:
            select.select([self._descriptor], [], [], left - SPIN)  # an epoll can be waited for, and exactly
        return self._stay_awake(until)

    def is_ready(self) -> bool:
        """Return whether something is ready now."""
        return bool(self._poll.poll(0))

    def _stay_awake(self, until: float) -> list[tuple[int, int]]:
        while True:
            ready: list[tuple[int, int]] = self._poll.poll(0)
            if ready or monotonic() >= until:
                return ready

    def close(self) -> None:
        """Close the epoll instance."""
        if self._is_epoll:
            self._poll.close()
