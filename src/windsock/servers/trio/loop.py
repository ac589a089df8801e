"""Tasks of a trio server's loop, and the exceptions that leave its nursery."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from windsock.net.system import threading

if TYPE_CHECKING:
    import trio

    from windsock.servers.loop import ServeLoop

__all__ = ["Run", "call_every", "cancel_when_stopped", "lost_connection", "only_one"]


class Run:
    """One `serve()` in progress: its thread and the nursery of its requests."""

    __slots__ = ("nursery", "rest", "thread_id")

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery: Any = nursery
        self.thread_id: int = threading.get_ident()
        self.rest: float = 0.0


async def cancel_when_stopped(loop: ServeLoop, scope: trio.CancelScope) -> None:
    """Cancel the scope when the loop is stopped, by any thread, signal handler or forked child."""
    import trio

    await trio.lowlevel.wait_readable(loop.fileno())
    scope.cancel()


async def call_every(seconds: float, function: Callable[..., object], *args: Any) -> None:
    """Call a function at intervals of trio's clock, until cancelled."""
    import trio

    while True:
        await trio.sleep(seconds)
        function(*args)


def only_one(group: BaseExceptionGroup[Any]) -> BaseException:
    """Return the only exception in nested groups; if there are several, return the group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return group if isinstance(error, BaseExceptionGroup) else error


def lost_connection(error: BaseException) -> OSError | None:
    """Return the OSError about the connection that caused an exception of trio's streams; None for other causes."""
    import trio

    if isinstance(error, BaseExceptionGroup):
        causes = [lost_connection(each) for each in error.exceptions]
        return causes[0] if all(causes) else None
    cause: BaseException | None = error
    while isinstance(cause, trio.BrokenResourceError):  # an SSLStream's error is caused by that of the stream below
        cause = cause.__cause__
    return cause if isinstance(cause, OSError) else None
