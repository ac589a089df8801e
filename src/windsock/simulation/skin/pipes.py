"""Reads from pipes of the kernel: a thread that has to wait lets others run, and is named if nothing comes.

What a process or a thread from outside writes within a moment is waited for, while the world and its clock stand still.
"""

from __future__ import annotations

import os as standard  # the standard library's own: its functions are replaced
import select as standard_select  # the standard library's own: its functions are replaced
import stat
from _io import FileIO
from collections.abc import Callable
from functools import wraps
from typing import Any

from windsock.simulation.live import current

__all__ = ["METHODS", "wait_for_data"]

GRACE = 2.0
"""Real seconds in which something from outside of the world may write."""
STEP = 0.01
"""Virtual seconds after which a thread looks again while others have something to do."""
LAST_OF_TERMINAL = 2
"""The last of the descriptors that a debugger reads from and writes to."""
_poll, _fstat, _get_blocking = standard_select.poll, standard.fstat, standard.get_blocking


def wait_for_data(descriptor: int) -> None:
    """Wait as a thread of the world until a pipe can be read; return at once for other descriptors."""
    task = current()
    if task is None or descriptor <= LAST_OF_TERMINAL or not _is_blocking_pipe(descriptor):
        return
    baton, grace = task.baton, GRACE
    while not _is_ready(descriptor, 0):
        turns = baton.turns
        baton.yield_turn(task)
        if baton.turns != turns:
            continue
        if _is_ready(descriptor, grace):
            return
        grace = 0
        what = f"data from the descriptor {descriptor}, a pipe of the kernel"
        baton.park(task, what, STEP if baton.schedule.has_timers() else None)


def _is_blocking_pipe(descriptor: int) -> bool:
    try:
        return stat.S_ISFIFO(_fstat(descriptor).st_mode) and _get_blocking(descriptor)
    except OSError:  # as the call itself will say
        return False


def _is_ready(descriptor: int, seconds: float) -> bool:
    poll = _poll()
    poll.register(descriptor, standard_select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _reading(old: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(old)
    def stand_in(self: Any, *arguments: Any) -> Any:
        if current() is not None and not self.closed:
            wait_for_data(self.fileno())
        return old(self, *arguments)

    return stand_in


METHODS: dict[tuple[Any, str], Any] = {
    (FileIO, name): _reading(getattr(FileIO, name)) for name in ("read", "readall", "readinto")
}
"""Buffered and text files read through these."""
