"""A proxy's listener, which can be shut (clients are refused) or full (they are not even answered) for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from windsock.errors import UsageError
from windsock.net import addresses, sockets
from windsock.net.queue_fillers import ListenerState, QueueFillers
from windsock.net.system import accept, os, socket
from windsock.net.targets import AF_UNIX, Target

__all__ = ["ListenError", "SwitchableListener", "bound_socket"]

BACKLOG = 1024


class ListenError(UsageError, OSError):
    """A proxy cannot listen at the address of `listen=`; the cause says why."""


class SwitchableListener:
    """The listener of a stream proxy, at one address all the time. For one thread.

    A second socket holds a TCP port while nothing listens there: bound and not listening, it has clients refused.
    """

    def __init__(self, upstream: Target, where: Any) -> None:
        self._upstream = upstream
        self._holder: socket.socket | None = None
        self.state: ListenerState = ListenerState.OPEN
        """Or "shut", or "full"."""
        self.socket: socket.socket = bound_socket(upstream, where)
        self.name: Any = self.socket.getsockname()
        self._fillers = QueueFillers()
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
            if not self._fillers.claim(peer):
                return client, peer
            client.close()

    def set_state(self, state: ListenerState) -> None:
        """Be "open", "shut" or "full". Idempotent. `socket` may be a new one afterwards, to be waited for.

        Raises OSError for a lack of descriptors; it is as it was then, or open.
        """
        if state == self.state:
            return
        if self.state == ListenerState.SHUT:
            self._reopen()
        elif self.state == ListenerState.FULL:
            self._empty()
        self.state = ListenerState.OPEN
        if state == ListenerState.SHUT:
            sockets.end(self.socket)  # it listens no more, whatever process has a copy
            self.socket.close()
        elif state == ListenerState.FULL:
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
        """Replace the old socket's file by a new socket's in one step (rename(2))."""
        made = socket.socket(AF_UNIX, self._upstream.kind)
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
        self._fillers.fill(self._upstream.family, self.name, self._upstream.kind)

    def _empty(self) -> None:
        self.socket.listen(BACKLOG)
        self._fillers.leave()

    def all(self) -> Iterable[socket.socket]:
        """Return the sockets that a forked child must close."""
        return [self.socket, *self._fillers.sockets, *([self._holder] if self._holder is not None else [])]

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


def bound_socket(upstream: Target, where: Any) -> socket.socket:
    """Return a socket of the same transport, bound there and not yet listening; with None, to a new loopback port.

    Raises ListenError if it cannot be bound there, UsageError if that is the very address it leads to.
    """
    if where is not None and _is_same(where, upstream.address):
        raise UsageError(f"listen={where!r}: a proxy to itself; expected another place than where it leads")
    made = socket.socket(upstream.family, upstream.kind)
    try:
        if not upstream.is_datagram and upstream.family != AF_UNIX:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # another one is to hold the port as well
        _bind(made, where, upstream)
        if where is None and _is_same(made.getsockname(), upstream.address):
            return _another(made, upstream)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


def _bind(made: socket.socket, where: Any, upstream: Target) -> None:
    if where is None:
        made.bind(("::1" if upstream.family == socket.AF_INET6 else "127.0.0.1", 0))
        return
    try:
        made.bind(where)
    except (OSError, OverflowError, TypeError) as error:
        way_out = f"expected a free address of the same kind as {addresses.show(upstream.address)}, or none at all"
        raise ListenError(f"listen={where!r}: a proxy cannot listen there: {error}; {way_out}") from error


def _another(unlucky: socket.socket, upstream: Target) -> socket.socket:
    """Replace a port that the system has given us and that is our own target, where nothing listens now."""
    try:
        return bound_socket(upstream, None)
    finally:
        unlucky.close()


def _is_same(mine: Any, there: Any) -> bool:
    if not isinstance(mine, tuple) or not isinstance(there, tuple):
        return bool(addresses.plain(mine) == addresses.plain(there))
    is_any = mine[0] in ("0.0.0.0", "::") and addresses.is_loopback(there[0])
    is_here = addresses.unmapped(mine[0]) == addresses.unmapped(there[0])
    return bool(mine[1] == there[1] and (is_here or is_any))
