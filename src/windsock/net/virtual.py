"""Whether a simulated world is live, whose clock and sockets stand in for the real ones."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from windsock.net import deadlines

__all__ = ["WorldOver", "has_deadlock", "is_live", "number", "set_live"]

_numbers = count(1)
_number = [0]
_has_deadlock: list[Callable[[], bool]] = [bool]


class WorldOver(SystemExit):
    """Ends a thread that is still running when its world ends."""


def is_live() -> bool:
    """Return whether a simulated world is live."""
    return bool(_number[0])


def number() -> int:
    """Return which world of this process is live, from 1; 0 for none. Times of another one cannot be compared."""
    return _number[0]


def has_deadlock() -> bool:
    """Return whether threads of the live world are still in the waits that a Deadlock has named."""
    return _has_deadlock[0]()


def set_live(*, is_live: bool, has_deadlock: Callable[[], bool] = bool) -> None:
    """Note that a world has begun or ended. The time that a test has left is real, and limits no wait of a world.

    `has_deadlock` is what the function of that name calls.
    """
    _number[0] = next(_numbers) if is_live else 0
    _has_deadlock[0] = has_deadlock
    deadlines.suspend(is_suspended=is_live)
