"""Blocking calls from a task, each in a named thread of its own that ends with the call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from windsock.net.system import threading
from windsock.servers.threads import Threads

__all__ = ["run_in_thread"]


async def run_in_thread(
    threads: Threads, work: Callable[[], None], end: Callable[[], None], *, name: str, daemon: bool
) -> None:
    """Run `work()` in a thread of its own and wait for it; if cancelled, call `end()` to end it, and still wait.

    trio's own worker threads would stay alive for ten seconds, and there are at most forty.

    Raises RuntimeError if no thread can be started.
    """
    import trio

    done = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def run() -> None:
        try:
            work()
        finally:
            threads.end()
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(done.set)

    threads.start(threading.Thread(target=run, name=name, daemon=daemon))
    try:
        await done.wait()
    finally:
        if not done.is_set():
            end()
            with trio.CancelScope(shield=True):
                await done.wait()
