"""Waits for a recording, as values: one can block its thread, or be awaited in a loop of asyncio or trio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from windsock.net.async_loops import BlocksLoop, loop_here, running_loop
from windsock.net.deadlines import within
from windsock.net.event_loop import READABLE

if TYPE_CHECKING:
    from windsock.recording.waiters import JoinedWaiters, Waiters

__all__ = ["RecordingWait"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RecordingWait(Generic[T]):
    """A wait for at most `seconds` until `is_enough()` returns true.

    `result(in_time)` returns what the wait returns, or raises what it raises. `of` and `method` are its name,
    `arguments` how it was called, in messages.
    """

    waiters: Waiters | JoinedWaiters
    of: str
    method: str
    arguments: str
    seconds: float
    is_enough: Callable[[], bool]
    result: Callable[[bool], T]

    def block(self) -> T:
        """Wait in this thread. Raises BlocksLoop if it would have to wait in the thread of a running event loop."""
        __tracebackhide__ = True
        left = within(self.seconds)
        if left > 0 and (loop := running_loop()) and not self.waiters.wait_until(self.is_enough, 0.0):
            raise BlocksLoop(self._call(), loop, f"await {self._call('_async')}")
        return self.result(self.waiters.wait_until(self.is_enough, left))

    async def wait(self) -> T:
        """Wait while the loop of this task goes on. Raises UsageError if no loop of asyncio or trio runs."""
        __tracebackhide__ = True
        return self.result(await self._is_met())

    async def _is_met(self) -> bool:
        loop = loop_here(self._call("_async"))
        until = loop.now() + within(self.seconds)
        with self.waiters.listening() as listener:
            while True:
                with self.waiters:
                    if self.is_enough():
                        return True
                if loop.now() >= until:
                    return False
                await loop.wait_ready([(each, READABLE) for each in listener.descriptors], until)
                listener.clear()
                self.waiters.clear_news()

    def _call(self, suffix: str = "") -> str:
        return f"{self.of}.{self.method}{suffix}({self.arguments})"
