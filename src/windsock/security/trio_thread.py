"""A blocking call from trio, in a thread that ends with it: trio's own threads stay for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import trio

__all__ = ["in_thread"]

Result = TypeVar("Result")


async def in_thread(call: Callable[[], Result], name: str) -> Result:
    """Make the call, and wait for it, cancelled or not: it must have a deadline of its own."""
    token = trio.lowlevel.current_trio_token()
    done = trio.Event()
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)
        finally:
            token.run_sync_soon(done.set)

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    with trio.CancelScope(shield=True):
        await done.wait()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
