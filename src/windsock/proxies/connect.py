"""Makes the connection behind a proxy, without waiting: before the client's bytes are taken, and told how it ended."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterable
from typing import Any

from windsock.net.event_loop import WRITABLE, Timer
from windsock.net.system import monotonic, os, socket
from windsock.net.targets import Target
from windsock.relay.loop import RelayLoop

__all__ = ["EXHAUSTED", "ConnectAttempt"]

EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""The errors of accept(2) and socket(2) for a lack of descriptors or memory, which may be temporary."""
IN_PROGRESS = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY)
FIRST_REST = 0.005
LONGEST_REST = 0.25


class ConnectAttempt:
    """One attempt to connect, for at most `seconds`; then `on_done` gets the socket, or the error, once; or
    both, for a connection that was made and has been reset since: earlier data can be read, the error cannot.

    A lack of descriptors, and a Unix server whose backlog is full (EAGAIN, unix(7)), are waited for; `on_lack` is
    called with the former.
    """

    def __init__(
        self,
        relay_loop: RelayLoop,
        target: Target,
        seconds: float,
        *,
        on_done: Callable[[socket.socket | None, OSError | None], None],
        on_lack: Callable[[OSError], object],
        others: Iterable[Any] = (),
    ) -> None:
        self._relay_loop = relay_loop
        self._target = target
        self._deadline = monotonic() + seconds
        self._on_done = on_done
        self._on_lack = on_lack
        self._others = others
        self._socket: socket.socket | None = None
        self._timer: Timer | None = None
        self._rest = FIRST_REST
        self._has_told = False
        self._is_over = False

    def start(self) -> None:
        """Begin; in the clockwork's thread."""
        self._relay_loop.add(self)
        self._try()

    def refresh(self, now: float) -> None:
        """Nothing: there are no faults yet."""

    def delivers_by(self, time: float) -> bool:  # noqa: ARG002  # what all members are asked
        """Return True: the client's bytes wait for this connection."""
        return True

    def finish(self) -> None:
        """Give up; the house is closed."""
        self._done(None, OSError(errno.ECANCELED, "the proxy was stopped"))

    def sockets(self) -> Iterable[Any]:
        """Return the sockets that a forked child must close."""
        return [*self._others, *([self._socket] if self._socket is not None else [])]

    def _try(self) -> None:
        self._timer = None
        try:
            self._socket = socket.socket(self._target.family, self._target.kind)
            self._socket.setblocking(False)
            self._go_on(self._socket.connect_ex(self._target.address))
        except OSError as error:
            self._failed(error)

    def _go_on(self, number: int) -> None:
        if number == 0:
            self._done(self._take(), None)
        elif number in IN_PROGRESS and not self._target.is_unix:
            assert self._socket is not None
            self._relay_loop.event_loop.watch(self._socket.fileno(), WRITABLE, self._ready)
            self._timer = self._relay_loop.event_loop.at(self._deadline, self._too_late)
        else:
            raise OSError(number, os.strerror(number))

    def _ready(self, events: int) -> None:  # noqa: ARG002  # SO_ERROR has the error
        assert self._socket is not None
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._stop_waiting()
        error = OSError(number, os.strerror(number)) if number else None
        if number in (
            0,
            errno.ECONNRESET,
        ):  # refused is ECONNREFUSED: this one was accepted, and may have sent something
            self._done(self._take(), error)
        elif error is not None:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        self._drop()
        if error.errno in EXHAUSTED and not self._has_told:
            self._has_told = True
            self._on_lack(error)
        if error.errno in (*EXHAUSTED, errno.EAGAIN) and monotonic() < self._deadline:
            self._timer = self._relay_loop.event_loop.at(monotonic() + self._rest, self._try)
            self._rest = min(LONGEST_REST, self._rest * 2)
        else:
            self._done(None, error)

    def _too_late(self) -> None:
        self._drop()
        self._done(None, OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))

    def _done(self, made: socket.socket | None, error: OSError | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._drop()
        self._relay_loop.remove(self)
        self._on_done(made, error)

    def _take(self) -> socket.socket | None:
        self._stop_waiting()
        made, self._socket = self._socket, None
        return made

    def _drop(self) -> None:
        self._stop_waiting()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            self._relay_loop.event_loop.forget(self._socket.fileno())
