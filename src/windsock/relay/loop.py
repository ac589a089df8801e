"""A house of relays: one thread for all connections of a server or a proxy, and their end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from windsock.errors import StillRunning
from windsock.net.event_loop import EventLoop, OnError
from windsock.net.system import monotonic, os
from windsock.relay.connection import Scratch
from windsock.servers import fork_hooks

__all__ = ["Handle", "RelayLoop"]


class Handle(Protocol):
    """A relay, a listener or a connection attempt that a relay loop runs."""

    def refresh(self, now: float) -> None:
        """Faults have come, gone or changed."""
        ...

    def delivers_by(self, time: float) -> bool:
        """Return whether something that a client has sent goes on from here by then."""
        ...

    def finish(self) -> None:
        """End, at once: the house is closed."""
        ...

    def sockets(self) -> Iterable[Any]:
        """Return the sockets it owns, which a forked child has no business with."""
        ...


class RelayLoop:
    """One thread, the memory that all its relays share, and who lives there.

    `on_error` is told what should not have happened. A forked child gives its copies of all sockets back, so that
    the ends of streams and resets are seen by the other ends whatever children there are.
    """

    def __init__(self, name: str, on_error: OnError) -> None:
        self.name = name
        self.scratch = Scratch()
        self._on_error = on_error
        self._members: dict[Handle, None] = {}
        self._process_id = os.getpid()
        self._is_slow = False
        """Whether a drain has run out of time."""
        self.event_loop = EventLoop(name, on_error, self._end)
        fork_hooks.renew_in_children(self)

    def start(self) -> None:
        """Begin. Raises RuntimeError where no thread can be started."""
        self.event_loop.start()

    def add(self, member: Handle) -> None:
        """Take somebody in; in the clockwork's thread, or before it has started."""
        self._members[member] = None

    def remove(self, member: Handle) -> None:
        """Somebody has ended."""
        self._members.pop(member, None)

    def __len__(self) -> int:
        return len(self._members)

    def refresh(self, *_: object) -> None:
        """Have everybody look at the faults again. From any thread."""
        if self.event_loop.is_running():
            self.event_loop.call(self._refresh)

    def drain(self, seconds: float) -> None:
        """Wait until all that clients have sent has gone on from here, as far as it does within `seconds`.

        What a fault keeps for longer, or without a time, is not waited for; nothing is after a wait that was in vain.
        """
        if self._is_slow or not self.event_loop.is_running():
            return
        deadline = monotonic() + seconds
        self._is_slow = not self.event_loop.wait_until_quiet(lambda: not self._delivers_by(deadline), seconds)

    def catch_up(self, seconds: float) -> None:
        """Wait until what has arrived here by now is taken up, for at most `seconds`."""
        if self.event_loop.ask(_nothing, seconds):  # which may be answered in the middle of a turn
            self.event_loop.ask(_nothing, seconds)

    def _delivers_by(self, time: float) -> bool:
        return any(member.delivers_by(time) for member in self._members)

    def stop(self, seconds: float) -> None:
        """End everybody, and the thread. Idempotent. Raises StillRunning after `seconds`."""
        if not self.event_loop.stop(seconds):
            raise StillRunning(f"stop() of the {self.name}", seconds, [f"thread {self.name!r}"])

    def after_fork_in_child(self) -> None:
        """Give back what a child has inherited: it is the parent's."""
        members, self._members = self._members, {}
        for member in members:
            for each in member.sockets():
                with contextlib.suppress(OSError):
                    descriptor = each.detach()
                    if descriptor >= 0:
                        os.close(descriptor)
        self.event_loop.abandon()

    def _refresh(self) -> None:
        now = monotonic()
        for member in list(self._members):
            self._guard(lambda member=member: member.refresh(now))  # type: ignore[misc]  # a lambda with a default

    def _end(self) -> None:
        for member in list(self._members):
            self._guard(member.finish)
        self._members.clear()
        self.scratch.close()

    def _guard(self, action: Callable[[], object]) -> None:
        """Do something for one member, of which no other is to suffer."""
        try:
            action()
        except BaseException as error:
            self._on_error(error)


def _nothing() -> None:
    """Come by."""
