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
"""Seconds that a connect over loopback may take if the queue is not full."""


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

    def fill(self, family: int, address: Any, kind: int = socket.SOCK_STREAM) -> None:
        """Connect until the queue is full, after listen(0). Waits only for the first connection.

        Raises OSError if descriptors run out.
        """
        for _ in range(MOST):
            filler = socket.socket(family, kind)
            self.sockets.append(filler)
            filler.setblocking(False)
            if family == getattr(socket, "AF_UNIX", None):
                filler.bind("")  # a name to recognize it by
            failure = filler.connect_ex(address)
            if failure == errno.EINPROGRESS and len(self.sockets) == 1:
                poll = select.poll()
                poll.register(filler, select.POLLOUT)
                poll.poll(SETTLED * 1000)
            elif failure == errno.EAGAIN:  # a Unix socket's queue is full
                return
            self._names.add(addresses.plain(filler.getsockname()))

    def claim(self, peer: Any) -> bool:
        """Return whether an accepted client is one of these; once for each, as another client may get its port."""
        if not self._names or peer is None or peer not in self._names:
            return False
        self._names.discard(peer)
        return True

    def leave(self) -> None:
        """Reset all of them. Idempotent."""
        fillers, self.sockets = self.sockets, []
        for each in fillers:
            sockets.reset(each)
