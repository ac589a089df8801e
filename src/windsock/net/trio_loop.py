"""Waits in an event loop of trio."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Sequence
from typing import Any

import trio

from windsock.net.async_loops import Ready
from windsock.net.event_loop import READABLE

__all__ = ["checkpoint", "is_real", "now", "wait_event", "wait_ready", "wait_shielded"]

now = trio.current_time
checkpoint = trio.lowlevel.checkpoint


def is_real() -> bool:
    """See AsyncLoop."""
    testing = sys.modules.get("trio.testing")
    return testing is None or not isinstance(trio.lowlevel.current_clock(), testing.MockClock)


async def wait_ready(wanted: Sequence[Ready], until: float) -> bool:
    """See AsyncLoop."""
    with trio.move_on_at(until):
        if not wanted:
            await trio.sleep_forever()
        elif len(wanted) == 1:
            await _wait(*wanted[0])
        else:
            await _wait_for_any(wanted)
        return True
    return False


async def _wait(descriptor: int, event: int) -> None:
    await (trio.lowlevel.wait_readable if event == READABLE else trio.lowlevel.wait_writable)(descriptor)


async def _wait_for_any(wanted: Sequence[Ready]) -> None:
    async def wait(descriptor: int, event: int) -> None:
        await _wait(descriptor, event)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for each in wanted:
            nursery.start_soon(wait, *each)


def wait_event(event: Any, until: float) -> Awaitable[bool] | None:
    """See AsyncLoop."""
    return _wait_for(event, until) if isinstance(event, trio.Event) else None


async def _wait_for(event: trio.Event, until: float) -> bool:
    with trio.move_on_at(until):
        await event.wait()
    return False


async def wait_shielded(descriptor: int) -> None:
    """See AsyncLoop."""
    with trio.CancelScope(shield=True):
        await trio.lowlevel.wait_readable(descriptor)
    await trio.lowlevel.checkpoint_if_cancelled()
