"""A relay loop: one thread for all connections of a server or a proxy, and their end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from windsock.errors import StillRunning
from windsock.net.callbacks import nothing
from windsock.net.deadlines import is_over, to_stop, within
from windsock.net.event_loop import EventLoop, OnError
from windsock.net.system import monotonic, os
from windsock.relay.connection import StreamRelay
from windsock.relay.scratch import Scratch
from windsock.servers import fork_hooks

__all__ = ["Handle", "RelayLoop"]


class Handle(Protocol):
    """A relay, a listener or a connection attempt that a relay loop runs."""

    def refresh(self, now: float) -> None:
        """Apply changes of the fault set."""
        ...

    def delivers_by(self, time: float) -> bool:
        """Return whether data that a client has sent leaves here by `time`."""
        ...

    def finish(self) -> None:
        """End at once: the relay loop is closing."""
        ...

    def sockets(self) -> Iterable[Any]:
        """Return the sockets it owns, which a forked child must close."""
        ...


class RelayLoop:
    """One thread, the memory that all its relays share, and the handles that it runs.

    `on_error` is called with unexpected errors. A forked child closes its copies of all sockets, so that the other ends
    see resets and ends of streams whatever children there are.
    """

    def __init__(self, name: str, on_error: OnError) -> None:
        self.name = name
        self.scratch: Scratch = Scratch()
        self._on_error = on_error
        self._members: dict[Handle, None] = {}
        self._process_id = os.getpid()
        self._is_slow = False
        """Whether a drain has timed out."""
        self.event_loop: EventLoop = EventLoop(name, on_error, self._end)
        fork_hooks.renew_in_children(self)

    def start(self) -> None:
        """Start the thread. Raises RuntimeError if that is not possible."""
        self.event_loop.start()

    def add(self, member: Handle) -> None:
        """Add a handle; in the event loop's thread, or before it has started."""
        self._members[member] = None

    def remove(self, member: Handle) -> None:
        """Remove a handle that has ended."""
        self._members.pop(member, None)

    def __len__(self) -> int:
        return len(self._members)

    def refresh(self, *_: object) -> None:
        """Make all handles apply changes of the fault set. From any thread."""
        if self.event_loop.is_running():
            self.event_loop.call(self._refresh)

    def drain(self, seconds: float) -> None:
        """Wait until everything that clients have sent has left here, for at most `seconds`.

        Does not wait for what faults keep for longer or without a time, and not at all after a drain that timed out.
        """
        if self._is_slow or not self.event_loop.is_running():
            return
        left = within(seconds)
        deadline = monotonic() + left
        self._is_slow = not self.event_loop.wait_until_quiet(lambda: not self._delivers_by(deadline), left)

    def catch_up(self, seconds: float) -> None:
        """Wait until everything that has arrived here by now is processed, for at most `seconds`."""
        left = to_stop(seconds)
        if self.event_loop.ask(nothing, left):  # the answer may come in the middle of a turn
            self.event_loop.ask(nothing, left)

    def _delivers_by(self, time: float) -> bool:
        return any(member.delivers_by(time) for member in self._members)

    def end_streams(self) -> None:
        """Close both ends of each relayed stream. In the event loop's thread."""
        for member in [each for each in self._members if isinstance(each, StreamRelay)]:
            member.finish()

    def stop(self, seconds: float) -> None:
        """End all handles and the thread. Idempotent. Raises StillRunning after `seconds`."""
        if not self.event_loop.stop(to_stop(seconds)):
            raise StillRunning(f"stop() of the {self.name}", seconds, [f"thread {self.name!r}"], is_cut=is_over())

    def after_fork_in_child(self) -> None:
        """Close the sockets that a child has inherited: they are the parent's."""
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
        """Call an action for one handle; report its errors, so that the others go on."""
        try:
            action()
        except BaseException as error:
            self._on_error(error)
