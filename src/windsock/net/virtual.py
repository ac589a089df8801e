"""Whether a simulated world is live, whose clock and sockets stand in for the real ones."""

from __future__ import annotations

from windsock.net import deadlines

__all__ = ["is_live", "set_live"]

_is_live = [False]


def is_live() -> bool:
    """Return whether a simulated world is live."""
    return _is_live[0]


def set_live(*, is_live: bool) -> None:
    """Note that a world has begun or ended. The time that a test has left is real, and limits no wait of a world."""
    _is_live[0] = is_live
    deadlines.suspend(is_suspended=is_live)
