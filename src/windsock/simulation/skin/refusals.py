"""Calls that a world does not have, refused where they are made: processes, and what waits for them."""

from __future__ import annotations

import _posixsubprocess
import os as standard  # the standard library's own: its functions are replaced
import sys
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any

from windsock.simulation.errors import NotSimulated
from windsock.simulation.live import current

__all__ = ["NAMES"]

PROCESSES = "fork forkpty posix_spawn posix_spawnp system"
WAITS = "wait waitpid wait3 wait4 waitid"


def _refused(old: Any, call: str, reason: str) -> Callable[..., Any]:
    @wraps(old)
    def stand_in(*arguments: Any, **keywords: Any) -> Any:
        if current() is not None and not _is_importing():
            raise NotSimulated(call, reason)
        return old(*arguments, **keywords)

    return stand_in


def _waiting(old: Any, call: str) -> Callable[..., Any]:
    """Return a stand-in for a wait for a process, which is refused if it blocks."""
    refuse = _refused(old, call, "the end of a process has no virtual time")

    @wraps(old)
    def stand_in(*arguments: Any) -> Any:
        blocks = not arguments or not arguments[-1] & standard.WNOHANG
        return refuse(*arguments) if blocks else old(*arguments)

    return stand_in


def _is_importing() -> bool:
    """Return whether a module is being imported: some look for a library of the system by a program."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True
        frame = frame.f_back
    return False


NAMES: dict[Any, Any] = {
    getattr(standard, name): _refused(getattr(standard, name), f"os.{name}()", "a world is one process")
    for name in PROCESSES.split()
    if hasattr(standard, name)
}
NAMES |= {getattr(standard, name): _waiting(getattr(standard, name), f"os.{name}()") for name in WAITS.split()}
NAMES[_posixsubprocess.fork_exec] = _refused(
    _posixsubprocess.fork_exec, "starting a process", "its pipes and its end are the kernel's"
)
