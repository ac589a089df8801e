"""The connections of a recording's part, and by which numbers they are known."""

from __future__ import annotations

from collections.abc import Iterable

from windsock.recording.connection import Connection

__all__ = ["ConnectionNumbers"]


class ConnectionNumbers:
    """The connections of the part that goes on. Each has an index, from 0 in each part, and a number for its children.

    The number is one that no other connection of the server ever has.
    """

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self._ahead = 0
        """The index of a new connection, less its place in the list..."""
        self.shift: int = 0
        """...and less its number among all that there ever were."""
        self._carried = 0
        self._earlier: dict[int, Connection] = {}
        """Connections from before this part on which forked children may still report, by those numbers."""

    @property
    def next_index(self) -> int:
        """The index of the connection that comes next."""
        return len(self.connections) + self._ahead

    def begin_part(self) -> None:
        """Begin another part: only connections that are open are still there, and keep their index."""
        carried = self.carried()
        earlier = [each for each in (*self._earlier.values(), *self.connections) if _may_report(each)]
        new = self.next_index + self.shift
        index = max((each.index for each in carried), default=-1) + 1
        self._earlier = {each.index + each.shift: each for each in (*earlier, *carried)}
        self.connections, self._carried = carried, len(carried)
        self._ahead, self.shift = index - len(carried), new - index

    def carried(self) -> list[Connection]:
        """Return the connections that another part would begin with: those of streams that are open."""
        return [each for each in self.connections if not (each.is_closed or each.is_datagram)]

    def by_index(self, index: int) -> Connection:
        """Return the connection of this part with that index."""
        return next(each for each in reversed(self.connections) if each.index == index)

    def of_child(self, number: int) -> Connection | None:
        """Return the connection that a child means; None if its child had ended before this part."""
        if number in self._earlier:
            return self._earlier[number]
        place = number - self.shift - self._ahead
        return self.connections[place] if place >= self._carried else None

    def handled_by(self, pid: int) -> Iterable[Connection]:
        """Return the connections of a forked child."""
        return [each for each in (*self.connections, *self._earlier.values()) if each.pid == pid]


def _may_report(connection: Connection) -> bool:
    """Return whether a forked child handles the connection, or has not ended yet."""
    return connection.pid is not None and not connection.has_exited
