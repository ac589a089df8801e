"""The world of the simulated network, and its clock."""

from __future__ import annotations

import heapq
import itertools
import socket
from collections.abc import Callable
from typing import Any

from tests.simulation.network.worlds import End, World, attempt
from windsock.simulation.network import FilesInMemory, Network


class Clock:
    """Timers whose time moves when a test says so."""

    def __init__(self) -> None:
        self._now = 100.0
        self._calls: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], object]) -> None:
        heapq.heappush(self._calls, (when, next(self._order), callback))

    def step(self) -> bool:
        """Move on to the next call; return whether there was one."""
        if not self._calls:
            return False
        when, _, callback = heapq.heappop(self._calls)
        self._now = max(self._now, when)
        callback()
        return True

    def advance(self, seconds: float) -> None:
        end = self._now + seconds
        while self._calls and self._calls[0][0] <= end:
            self.step()
        self._now = end


class SimulatedEnd(End):
    """A socket of the network, which has no size of ancillary data among the arguments of recvmsg()."""

    def recvmsg(self, size: int, _ancillary_size: int = 0, flags: int = 0) -> Any:
        return attempt(self.raw.recvmsg, size, flags)


class Simulated(World):
    """The sockets of a network in memory."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.files = FilesInMemory()
        self.network = Network(self.clock, self.files)

    def end(self, raw: Any) -> End:
        return SimulatedEnd(self, raw)

    def make(self, family: int, kind: int) -> Any:
        return self.network.socket(family, kind)

    def make_pair(self, kind: int) -> Any:
        return self.network.socketpair(socket.AF_UNIX, kind)

    def mask(self, raw: Any) -> int:
        return int(raw.events())

    def wait(self, is_over: Callable[[], object]) -> None:
        while not is_over():
            assert self.clock.step(), "nothing is due, and the event did not come"

    def unread(self, raw: Any) -> int:
        return int(raw.unread())

    def unsent(self, raw: Any) -> int:
        return int(raw.unsent())

    def at_mark(self, raw: Any) -> bool:
        return bool(raw.is_at_mark())

    def path(self, name: str) -> str:
        return f"/run/{name}"

    def write_file(self, path: str) -> None:
        self.files.write(path)

    def unlink(self, path: str) -> None:
        self.files.unlink(path)

    def close(self) -> None:
        pass
