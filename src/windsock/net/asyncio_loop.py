"""Waits in an event loop of asyncio or uvloop: callbacks of the loop end them, and no thread or task is needed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

from windsock.net.async_loops import Ready
from windsock.net.deadlines import LONGEST
from windsock.net.event_loop import READABLE

__all__ = ["checkpoint", "is_real", "now", "wait_event", "wait_ready", "wait_shielded"]


def now() -> float:
    """See AsyncLoop."""
    return asyncio.get_running_loop().time()


def is_real() -> bool:
    """See AsyncLoop."""
    return True


async def wait_ready(wanted: Sequence[Ready], until: float) -> bool:
    """See AsyncLoop."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bool] = loop.create_future()

    def wake(is_ready: bool) -> None:
        if not done.done():
            done.set_result(is_ready)

    timer = loop.call_at(min(until, loop.time() + LONGEST), wake, False)
    try:
        for descriptor, event in wanted:
            (loop.add_reader if event == READABLE else loop.add_writer)(descriptor, wake, True)
        return await done
    finally:
        timer.cancel()
        if not loop.is_closed():
            for descriptor, event in wanted:
                (loop.remove_reader if event == READABLE else loop.remove_writer)(descriptor)


def wait_event(event: Any, until: float) -> None:  # noqa: ARG001  # those of asyncio are looked at like all others
    """See AsyncLoop."""
    return


async def checkpoint() -> None:
    """See AsyncLoop."""
    await asyncio.sleep(0)


async def wait_shielded(descriptor: int) -> None:
    """See AsyncLoop."""
    waiting = asyncio.ensure_future(wait_ready([(descriptor, READABLE)], math.inf))
    cancelled: asyncio.CancelledError | None = None
    while not waiting.done():
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError as error:
            if waiting.cancelled():  # the loop ends
                raise
            cancelled = error
    if cancelled is not None:
        raise cancelled
