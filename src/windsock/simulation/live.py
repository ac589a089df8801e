"""The world that is live, if there is one, and the task of the calling thread in it."""

from __future__ import annotations

from _thread import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windsock.simulation.tasks import Task
    from windsock.simulation.world import World

__all__ = ["current", "leave", "set_world", "tasks", "world"]

tasks: dict[int, Task] = {}
"""The tasks of the live world by the identifiers of their threads. The dictionary stays the same."""
_live: list[World] = []


def current() -> Task | None:
    """Return the task of the calling thread; None for a thread that is not of the live world."""
    return tasks.get(get_ident())


def world() -> World | None:
    """Return the live world."""
    return _live[0] if _live else None


def set_world(new: World) -> None:
    """Make a world the live one."""
    _live[:] = [new]


def leave() -> None:
    """Have no world live, and no thread in it."""
    _live.clear()
    tasks.clear()
