"""Calls in progress that end a stream: the end is recorded once the call has returned."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, TypeAlias

from windsock.net.system import threading

__all__ = ["NotedAfterwards", "Pending"]

Call: TypeAlias = tuple[int, int]
"""The index of a connection, and the kind of the event that the call makes true."""
OTHER_PROCESS = 0


class Pending:
    """The calls of one recording, from all threads and forked children. Every method is one atomic step."""

    __slots__ = ("_threads",)

    def __init__(self) -> None:
        self._threads: dict[Call, int] = {}

    def begin(self, call: Call, thread: int = OTHER_PROCESS) -> None:
        """Add a call that is about to be made by a thread."""
        self._threads[call] = thread

    def end(self, call: Call) -> None:
        """Remove a call that has returned."""
        self._threads.pop(call, None)

    def end_all(self, index: int) -> None:
        """Remove the calls of a connection whose process has ended."""
        for call in [call for call in list(self._threads) if call[0] == index]:
            self.end(call)

    def of_others(self) -> set[Call]:
        """Return the calls that other threads make, and so can be waited for."""
        if not self._threads:
            return set()
        me = threading.get_ident()
        return {call for call, thread in list(self._threads.items()) if thread != me}


class EndingCalls(Protocol):
    """A connection that records events."""

    def begin(self, kind: int) -> None:
        """Announce a call that makes the event true."""
        ...

    def note(self, kind: int, data: bytes = b"") -> None:
        """Record the event."""
        ...


class NotedAfterwards:
    """A context manager whose block makes an event true, which is recorded at the end of the block."""

    __slots__ = ("_connection", "_data", "_kind")

    def __init__(self, connection: EndingCalls, kind: int, data: bytes) -> None:
        self._connection = connection
        self._kind = kind
        self._data = data

    def __enter__(self) -> None:
        self._connection.begin(self._kind)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.note(self._kind, self._data)
