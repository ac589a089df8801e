"""A listener that is shut or full for a while, under any loop: another socket replaces it at its descriptor."""

from __future__ import annotations

import contextlib
import errno
from typing import Any

from windsock.errors import UsageError
from windsock.net import sockets
from windsock.net.callbacks import nothing
from windsock.net.queue_fillers import ListenerState, QueueFillers
from windsock.net.system import monotonic, os, platform, socket, threading
from windsock.options import listeners
from windsock.servers import BaseServer

__all__ = ["FaultyListener"]

PATIENCE = 5.0
"""The longest wait for the server's loop, in seconds."""


class FaultyListener:
    """The listener of one stream server, in a running loop.

    Loops know a listener by its descriptor, so a replacement must get that number in the loop's own thread:
    `pass_through()`, which the loop comes through before each accept, does that. Nothing else is done to the loop.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self._lock = threading.Condition()
        self._state = ListenerState.OPEN
        self._next: int | None = None
        self._aside: int | None = None
        self._holder: socket.socket | None = None
        self._is_blocking = True
        """Whether the listener that was shut blocks: that of a selecting server does not."""
        self._quiet: tuple[socket.socket, socket.socket] | None = None
        self._done_with: list[Any] = []
        self._fillers = QueueFillers()

    # --- in the loop's thread

    def pass_through(self) -> None:
        """Make the next replacement of the listener. Raises BlockingIOError if there is no connection to accept."""
        if self._next is None and self._state == ListenerState.OPEN:
            return
        with self._lock:
            following, self._next = self._next, None
            if following is not None:
                self._take_place(following)
            done, self._done_with = self._done_with, []
            self._lock.notify_all()
        for each in done:
            each.close()
        raise BlockingIOError(errno.EAGAIN, "the listener was changed on purpose")

    def replace(self, descriptor: int) -> None:
        """Put something in the socket's place for good. Raises BlockingIOError: there is nothing to read there yet."""
        self._take_place(descriptor)
        raise BlockingIOError(errno.EAGAIN, "the socket was changed on purpose")

    def _take_place(self, descriptor: int) -> None:
        if isinstance(self._server, BaseServer):
            self._server.pause_accepting(0.0)  # its loop asks the kernel anew afterwards
        os.dup2(descriptor, self._server.fileno(), inheritable=False)
        os.close(descriptor)

    def is_ours(self, peer: Any) -> bool:
        """Return whether that client has only filled the queue."""
        return self._fillers.claim(peer)

    # --- from any thread

    @property
    def state(self) -> ListenerState:
        """Return "open", "shut" or "full"."""
        return self._state

    def set_state(self, state: ListenerState) -> None:
        """Be "open", "shut" or "full". Idempotent. Raises UsageError where the system cannot do that."""
        with self._lock:
            if state == self._state:
                return
            if state == ListenerState.SHUT and platform != "linux":
                raise UsageError("Refuse() around a server needs Linux; use it on a proxy, or server.outage()")
            leave = {ListenerState.OPEN: nothing, ListenerState.SHUT: self._reopen, ListenerState.FULL: self._drain}
            enter = {ListenerState.OPEN: nothing, ListenerState.SHUT: self._shut, ListenerState.FULL: self._fill}
            leave[self._state]()
            self._state = state
            enter[state]()

    def _listener(self) -> int:
        """Return the descriptor of the listener, which may still be on its way to its place."""
        return self._server.fileno() if self._next is None else self._next

    def copy_of_listener(self) -> socket.socket:
        """Return a copy of the listener."""
        with self._lock:
            return socket.socket(fileno=os.dup(self._listener()))

    def _shut(self) -> None:
        self._holder = self.copy_of_listener()
        self._is_blocking = os.get_blocking(self._holder.fileno())
        self._be_quiet()
        sockets.refuse(self._holder)  # in every process that has a copy; this wakes the loop

    def _reopen(self) -> None:
        assert self._holder is not None
        holder, self._holder = self._holder, None
        if sockets.is_ip(holder):
            sockets.serve_again(holder, listeners.backlog_of(self._server))
        else:
            holder.close()
            holder = self._listen_beside()
        os.set_blocking(holder.fileno(), self._is_blocking)
        self._put(holder.detach())

    def _listen_beside(self) -> socket.socket:
        deadline = monotonic() + PATIENCE
        while True:
            try:
                return listeners.listen_beside(self._server)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or monotonic() > deadline:
                    raise
            self._lock.wait(0.005)  # the old one has an abstract name until the loop has let go of it

    def _fill(self) -> None:
        """Leave room for one in the queue, and take that."""
        address = self._server.server_address
        self._aside = os.dup(self._listener())
        self._be_quiet()
        listener = socket.socket(fileno=os.dup(self._aside))
        try:
            listener.listen(0)
            self._fillers.fill(listener.family, address, listener.type)
        finally:
            listener.close()

    def _drain(self) -> None:
        if self._aside is not None:
            listener = socket.socket(fileno=os.dup(self._aside))
            with contextlib.closing(listener):
                listener.listen(listeners.backlog_of(self._server))
            aside, self._aside = self._aside, None
            self._put(aside)
        self._fillers.leave()

    def _be_quiet(self) -> None:
        """Have something that is never ready take the listener's place."""
        self._quiet = socket.socketpair()
        self._put(os.dup(self._quiet[0].fileno()), is_quiet=True)

    def _put(self, descriptor: int, *, is_quiet: bool = False) -> None:
        if self._next is not None:
            os.close(self._next)
        self._next = descriptor
        if not is_quiet and self._quiet is not None:
            self._quiet[1].send(b"!")  # wakes the loop, if it has come to wait there
            self._done_with += self._quiet
            self._quiet = None

    def close(self) -> None:
        """Give everything back, when the server has closed its listener."""
        with self._lock:
            self._state = ListenerState.OPEN
            for descriptor in (self._next, self._aside):
                if descriptor is not None:
                    with socket.socket(fileno=descriptor) as found:
                        sockets.refuse(found)
            self._next = self._aside = None
            for each in [*self._done_with, *(self._quiet or ())]:
                each.close()
            self._done_with, self._quiet = [], None
            if self._holder is not None:
                self._holder.close()
            self._fillers.leave()
