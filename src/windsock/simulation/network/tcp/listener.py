"""A TCP socket that listens: the queue of connections that were not accepted yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from windsock.simulation.network.socket_options import SocketOptions
from windsock.simulation.network.tcp.connection import TCPConnection

__all__ = ["TCPListener"]


class TCPListener:
    """The queue of a listening socket. `on_change` is called when a connection joins it."""

    def __init__(self, options: SocketOptions, backlog: int, on_change: Callable[[], object]) -> None:
        self.options = options
        self.backlog = backlog
        self._queue: deque[TCPConnection] = deque()
        self._on_change = on_change
        self.is_closed: bool = False

    def is_full(self) -> bool:
        """Return whether new connections must try again later: `backlog` and one more wait already (listen(2))."""
        return len(self._queue) > self.backlog

    def add(self, connection: TCPConnection) -> None:
        """Queue an established connection; reset it if the listener is closed."""
        if self.is_closed:
            connection.abort()
            return
        self._queue.append(connection)
        self._on_change()

    def take(self) -> TCPConnection | None:
        """Return the next connection; None if the queue is empty."""
        return self._queue.popleft() if self._queue else None

    def __len__(self) -> int:
        return len(self._queue)

    def close(self) -> None:
        """Reset the connections that were not accepted."""
        self.is_closed = True
        while self._queue:
            self._queue.popleft().abort()
