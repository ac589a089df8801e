"""The end of a server or proxy in a task: what may wait for clients is done in a thread, while the loop goes on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from windsock.net.async_loops import call_in_thread

__all__ = ["AsyncLife"]


class AsyncLife:
    """The awaitable forms of `drain()`, `finish()` and `with`, for servers and proxies.

    These may wait for clients, so a client in the loop must be able to go on. A call that is cancelled goes on to its
    end, which takes at most `timeout` seconds, and then the task is cancelled.
    """

    drain: Callable[[], None]
    finish: Callable[[], None]
    __exit__: Callable[[type[BaseException] | None, BaseException | None, TracebackType | None], None]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        await call_in_thread("async with", partial(self.__exit__, kind, error, trace))

    async def drain_async(self) -> None:
        """Drain as `drain()` does, while the event loop of asyncio or trio goes on."""
        __tracebackhide__ = True
        await call_in_thread("drain_async()", self.drain)

    async def finish_async(self) -> None:
        """Finish as `finish()` does, while the event loop of asyncio or trio goes on."""
        __tracebackhide__ = True
        await call_in_thread("finish_async()", self.finish)
