"""Adds firings to the recording as they happen."""

from __future__ import annotations

from windsock.faults import FaultHandle, FaultSet, Firing
from windsock.recording import Connection
from windsock.recording.events import Kind

__all__ = ["Firings"]


class Firings:
    """Adds the firings of one fault set to the recorded connections that they happened on.

    For one thread: the one that asks the faults, right after it has carried out their answers.
    """

    def __init__(self, fault_set: FaultSet) -> None:
        self._fault_set = fault_set
        self._version = -1
        self._noted: dict[FaultHandle, int] = {}
        self._connections: dict[int, Connection] = {}

    def follow(self, index: int, connection: Connection) -> None:
        """Record the firings for the faults' connection `index` (from 0) on a recorded connection."""
        self._connections[index] = connection

    def note(self, index: int, words: str) -> None:
        """Record something else on the connection."""
        connection = self._connections.get(index)
        if connection is not None:
            connection.note(Kind.NOTE, words.encode())

    def leave(self, index: int) -> None:
        """Forget a connection that is over."""
        self._connections.pop(index, None)

    def look(self) -> None:
        """Record the firings since the previous call."""
        if not self._connections:
            return
        if self._version != self._fault_set.version:
            self._meet()
        for handle, noted in self._noted.items():
            if handle.firings != noted:
                found = handle.since(noted if noted < handle.firings else 0)  # it may count anew
                self._noted[handle] = found[-1].number if found else handle.firings
                for firing in () if handle.fault.happens_later else found:
                    self._note(firing)

    def _meet(self) -> None:
        self._version = self._fault_set.version
        self._noted = {
            each: number for each, number in self._noted.items() if not each.is_healed or each.firings != number
        }
        for each in self._fault_set.handles:
            self._noted.setdefault(each, 0)

    def _note(self, firing: Firing) -> None:
        connection = self._connections.get(-1 if firing.connection is None else firing.connection)
        if connection is not None:
            connection.note(Kind.FAULT, words(firing).encode())


def words(firing: Firing) -> str:
    """Return a firing as text for transcripts."""
    where = f" {firing.direction} at byte {firing.offset}" if firing.direction else ""
    return f"{firing.fault}{where}: {firing.what}"
