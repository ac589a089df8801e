"""The world that is live, if there is one, and the task of the calling thread in it."""

from __future__ import annotations

from _thread import get_ident
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from windsock.simulation.files import Files
    from windsock.simulation.tasks import Task

__all__ = ["LiveWorld", "current", "leave", "set_world", "tasks", "world"]

tasks: dict[int, Task] = {}
"""The tasks of the live world by the identifiers of their threads. The dictionary stays the same."""


class Turns(Protocol):
    """The baton of a world, as locks know it."""

    holders: dict[int, str]
    """The names of the threads that took each lock last."""
    waiters: dict[int, list[Task]]
    """The tasks that wait, by what they wait for."""

    def notify(self, key: int) -> None:
        """Wake the tasks that wait on a key."""
        ...

    def notify_from_outside(self, key: int) -> None:
        """Wake the tasks that wait on a key, from a thread that is not of the world."""
        ...


class RandomBytes(Protocol):
    """The random bytes of a world."""

    def bytes(self, size: int) -> bytes:
        """Return the next ones."""
        ...


class LiveWorld(Protocol):
    """A world, as the stand-ins for functions and methods know it."""

    files: Files

    @property
    def baton(self) -> Turns:
        """What its threads take turns by."""
        ...

    @property
    def randomness(self) -> RandomBytes:
        """Where its random bytes come from."""
        ...


_live: list[LiveWorld] = []


def current() -> Task | None:
    """Return the task of the calling thread; None for a thread that is not of the live world."""
    return tasks.get(get_ident())


def world() -> LiveWorld | None:
    """Return the live world."""
    return _live[0] if _live else None


def set_world(new: LiveWorld) -> None:
    """Make a world the live one."""
    _live[:] = [new]


def leave() -> None:
    """Have no world live, and no thread in it."""
    _live.clear()
    tasks.clear()
