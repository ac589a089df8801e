"""A proxy's listener, which can be shut (clients are refused) or full (they are not even answered) for a while."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable
from typing import Any

from windsock.net import addresses, sockets
from windsock.net.system import accept, os, socket
from windsock.proxies.target import AF_UNIX, BACKLOG, Target, listener

__all__ = ["SwitchableListener"]

MOST_FILLERS = 4


class SwitchableListener:
    """The listener of a stream proxy, at one address all the time. For one thread.

    A second socket holds a TCP port while nothing listens there: bound and not listening, it has clients refused.
    """

    def __init__(self, upstream: Target, where: Any) -> None:
        self._upstream = upstream
        self._holder: socket.socket | None = None
        self.state = "open"
        """Or "shut", or "full"."""
        self.socket = listener(upstream, where)
        self.name: Any = self.socket.getsockname()
        self._fillers: list[socket.socket] = []
        self._filled: set[Any] = set()
        try:
            if upstream.family != AF_UNIX:
                self._holder = _bound(upstream.family, self.name)
            self.socket.listen(BACKLOG)
        except BaseException:
            self.close()
            raise

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next client and its address. Raises OSError as accept(2)."""
        while True:
            client, address = accept(self.socket)
            peer = addresses.plain(address)
            if peer is None or peer not in self._filled:
                return client, peer
            self._filled.discard(peer)  # somebody else may be given that port
            client.close()  # it has only filled the queue

    def set_state(self, state: str) -> None:
        """Be "open", "shut" or "full". Idempotent. `socket` may be a new one afterwards, to be waited for.

        Raises OSError for a lack of descriptors; it is as it was then, or open.
        """
        if state == self.state:
            return
        if self.state == "shut":
            self._reopen()
        elif self.state == "full":
            self._empty()
        self.state = "open"
        if state == "shut":
            sockets.end(self.socket)  # it listens no more, whatever process has a copy
            self.socket.close()
        elif state == "full":
            self._fill_or_empty()
        self.state = state

    def _reopen(self) -> None:
        if self._upstream.family != AF_UNIX:
            self.socket = _bound(self._upstream.family, self.name)
        else:
            self.socket = self._beside()
        self.socket.setblocking(False)
        self.socket.listen(BACKLOG)

    def _beside(self) -> socket.socket:
        """Put a new socket in the place of the old one's file, in one step (rename(2))."""
        made = socket.socket(AF_UNIX, socket.SOCK_STREAM)
        try:
            path = addresses.plain(self.name)
            if addresses.is_abstract(path):
                made.bind(self.name)
            else:
                made.bind(f"{path}n")
                os.rename(f"{path}n", path)
        except BaseException:
            made.close()
            raise
        return made

    def _fill_or_empty(self) -> None:
        try:
            self._fill()
        except OSError:
            self._empty()
            raise

    def _fill(self) -> None:
        """Leave room for one in the queue, and take it."""
        self.socket.listen(0)
        for _ in range(MOST_FILLERS):
            filler = socket.socket(self._upstream.family, socket.SOCK_STREAM)
            self._fillers.append(filler)
            filler.setblocking(False)
            if filler.family == AF_UNIX:
                filler.bind("")  # a name by which it is known
            if filler.connect_ex(self.name) == errno.EAGAIN:
                return
            self._filled.add(addresses.plain(filler.getsockname()))

    def _empty(self) -> None:
        self.socket.listen(BACKLOG)
        for each in self._fillers:
            sockets.reset(each)
        self._fillers.clear()

    def all(self) -> Iterable[socket.socket]:
        """Return what a forked child has to give back."""
        return [self.socket, *self._fillers, *([self._holder] if self._holder is not None else [])]

    def close(self) -> None:
        """Close."""
        sockets.end(self.socket)
        for each in self.all():
            with contextlib.suppress(OSError):
                each.close()


def _bound(family: int, name: Any) -> socket.socket:
    """Return a socket that is bound there, beside others that do not listen (SO_REUSEADDR, socket(7))."""
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(name)
    except BaseException:
        made.close()
        raise
    return made
