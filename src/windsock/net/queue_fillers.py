"""The states of a listener, and connections that fill its queue, so that the next client's connect is not answered."""

from __future__ import annotations

import enum
import errno
from typing import Any

from windsock.net import addresses, sockets
from windsock.net.system import select, socket

__all__ = ["ListenerState", "QueueFillers"]

MOST = 4
SETTLED = 0.05
"""Seconds in which a connection over loopback is made, unless the queue is full."""


class ListenerState(enum.StrEnum):
    """What clients meet at a listener."""

    OPEN = "open"
    SHUT = "shut"
    """Their connects are refused."""
    FULL = "full"
    """Their connects are not answered."""


class QueueFillers:
    """The sockets that fill one listener's queue, until `leave()`. Not thread-safe."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self._names: set[Any] = set()

    def fill(self, family: int, address: Any) -> None:
        """Connect until there is no more room, after listen(0). Waits for the first connection alone.

        Raises OSError for a lack of descriptors.
        """
        for _ in range(MOST):
            filler = socket.socket(family, socket.SOCK_STREAM)
            self.sockets.append(filler)
            filler.setblocking(False)
            if family == getattr(socket, "AF_UNIX", None):
                filler.bind("")  # a name by which it is known
            failure = filler.connect_ex(address)
            if failure == errno.EINPROGRESS and len(self.sockets) == 1:
                poll = select.poll()
                poll.register(filler, select.POLLOUT)
                poll.poll(SETTLED * 1000)
            elif failure == errno.EAGAIN:  # on a Unix socket: there is no more room
                return
            self._names.add(addresses.plain(filler.getsockname()))

    def claim(self, peer: Any) -> bool:
        """Return whether an accepted client is one of these; once for each, as another client may get its port."""
        if not self._names or peer is None or peer not in self._names:
            return False
        self._names.discard(peer)
        return True

    def leave(self) -> None:
        """Reset them all. Idempotent."""
        fillers, self.sockets = self.sockets, []
        for each in fillers:
            sockets.reset(each)
