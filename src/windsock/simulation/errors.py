"""Errors of a simulated world: threads that wait for each other, and what is not simulated."""

from __future__ import annotations

from collections.abc import Iterable

from windsock.errors import UsageError, WindsockError
from windsock.net.virtual import WorldOver

__all__ = ["Deadlock", "Livelock", "NotOfThisWorld", "NotSimulated", "Standstill", "WorldOver"]


class Deadlock(WindsockError):
    """All threads of a simulated world wait, and nothing is due.

    `waits` has a line for each thread: what it waits for, where, since when. `now` is the world's time in seconds.
    """

    def __init__(self, waits: Iterable[str], now: float, seed: int) -> None:
        self.waits: list[str] = list(waits)
        self.now = now
        self.seed = seed
        lines = "".join(f"\n  {each}" for each in self.waits)
        super().__init__(
            f"all threads of the simulated world wait, and nothing is due ({now:.6g} s, seed {seed}):{lines}"
        )


class Livelock(WindsockError):
    """The threads of a simulated world ran for very many steps without any time passing.

    `steps` is how often one thread handed over to another since time passed last.
    """

    def __init__(self, steps: int, now: float, seed: int) -> None:
        self.steps = steps
        self.now = now
        self.seed = seed
        super().__init__(
            f"{steps:,} steps of the simulated world passed no time ({now:.6g} s, seed {seed}): its threads wake "
            "each other without end; if they do useful work, raise simulated(most_steps=...)"
        )


class Standstill(WindsockError):
    """The thread whose turn it is waits for something that the simulated world does not know, such as a lock in C.

    `where` is the thread and its line.
    """

    def __init__(self, where: str, now: float) -> None:
        self.where = where
        self.now = now
        super().__init__(
            f"the simulated world stands still at {now:.6g} s: {where}: a lock that only C knows (two "
            "threads that use one file object), or a call that is real; make that within `with world.outside():`"
        )


class NotSimulated(UsageError):
    """A call that the simulated world does not have. `call` names it, `reason` says why.

    Raised at the call itself. Within `with world.outside():` the call is made for real, while the world stands still.
    """

    def __init__(self, call: str, reason: str) -> None:
        self.call = call
        self.reason = reason
        super().__init__(
            f"{call} is not simulated: {reason}; make it within `with world.outside():`, or without a world"
        )


class NotOfThisWorld(UsageError):
    """A simulated socket was used by a thread that was not started in its world. `thread` is the thread's name."""

    def __init__(self, call: str, thread: str) -> None:
        self.call = call
        self.thread = thread
        super().__init__(
            f"{call}() of a simulated socket was called by the thread {thread!r}, which is not of the socket's world; "
            "start the thread within the world"
        )
