"""A check for bytes, ends and resets of clients that handlers have not read yet, as the kernel reports them."""

from __future__ import annotations

import contextlib
from typing import Any

from windsock.net.sockets import has_unread
from windsock.net.system import select
from windsock.recording import Connection

__all__ = ["Unread"]


class Unread:
    """The unread data on the connections of one server.

    A forking server closes its descriptor of a connection, which belongs to its child from then on. An epoll instance
    reports on a socket as long as some process has it open, and does not keep it open (epoll(7), questions and
    answers); so each connection of a forking server has an instance of its own. On systems without epoll, nothing is
    known about connections in children.
    """

    def __init__(self, server: Any) -> None:
        self._forks = hasattr(server, "active_children")
        self._watches: dict[Connection, Any] = {}

    def watch(self, connection: Connection, request: Any) -> None:
        """Watch a connection, from its accept on."""
        if not self._forks:
            connection.descriptor = request.fileno()
        elif hasattr(select, "epoll"):
            with contextlib.suppress(OSError):  # no descriptor left: nothing is known about it
                self._watches[connection] = watch = select.epoll(1)
                watch.register(request.fileno(), select.EPOLLIN)

    def is_there(self, connection: Connection) -> bool:
        """Return whether there is data, an end of the stream or a reset. For a connection that is not closed."""
        watch = self._watches.get(connection)
        if watch is not None:
            try:
                return bool(watch.poll(0))
            except (OSError, ValueError):  # the loop's thread has just closed it
                return False
        return connection.descriptor >= 0 and has_unread(connection.descriptor)

    def forget_closed(self) -> None:
        """Stop watching connections that are closed by now."""
        for connection in [each for each in self._watches if each.is_closed]:
            self._watches.pop(connection).close()

    def close(self) -> None:
        """Stop watching all connections."""
        for watch in self._watches.values():
            watch.close()
        self._watches.clear()
