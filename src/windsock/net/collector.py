"""Times in which the garbage collector rests: in simulated worlds, and while stacks of other threads are looked at."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from windsock.net.system import os

__all__ = ["resting"]

_holders: dict[object, None] = {}
_was_enabled = [False]


@contextmanager
def resting() -> Iterator[None]:
    """Keep the collector from running within a block; several threads may be in one.

    It has no lock: one thread may let it run in the moment in which another begins, and it never stays off by that.
    """
    me = object()
    if not _holders:
        _was_enabled[0] = gc.isenabled()
    _holders[me] = None
    gc.disable()
    try:
        yield
    finally:
        _holders.pop(me, None)
        if _was_enabled[0] and not _holders:
            gc.enable()


def _after_fork() -> None:
    """Let it run in a forked child, which has none of the other threads."""
    if _holders and _was_enabled[0]:
        gc.enable()
    _holders.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
