"""Sockets that look for urgent data before each read, since a read discards an urgent byte that comes next."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from windsock.net import sockets, urgent
from windsock.net.callbacks import nothing
from windsock.net.deadlines import milliseconds
from windsock.net.pushback import give_back, held_by
from windsock.net.system import monotonic, os, select, socket, threading
from windsock.net.urgent import DONTWAIT, OOB, PEEK, bytes_before_mark, pass_mark, pass_taken

__all__ = [
    "IN",
    "PRI",
    "UrgentReader",
    "UrgentSocket",
    "events_of",
    "look_first",
    "read_as_usual",
    "reader_of",
    "size_of",
]

IN, PRI = int(select.POLLIN), int(select.POLLPRI)

_readers: WeakKeyDictionary[Any, UrgentReader] = WeakKeyDictionary()


def events_of(descriptor: int, deadline: float | None, alarm: int = -1) -> int:
    """Wait until the deadline for ordinary data (IN) or urgent data (PRI); return the events of poll(2).

    Return 0 after the deadline, or if the descriptor `alarm` is readable.
    """
    poll = select.poll()
    poll.register(descriptor, IN | PRI)
    if alarm >= 0:
        poll.register(alarm, IN)
    found = dict(poll.poll(None if deadline is None else milliseconds(deadline - monotonic())))
    return 0 if alarm in found else found.get(descriptor, 0)


class UrgentReader:
    """The urgent data of one connection: how far its stream was read, and the function that is told of urgent bytes.

    Two threads may use it: one that reads the stream, and one that watches for urgent data. One of them takes the byte.
    """

    def __init__(
        self, sock: Any, tell: Callable[[bytes, int], Any], *, is_inline: bool, note: Callable[..., None] | None = None
    ) -> None:
        self.is_inline = is_inline
        self.alarm = -1
        """A descriptor that is readable once there is an error."""
        self.error: BaseException | None = None
        """What the handler has raised in another thread."""
        self.stop: Callable[[], None] = nothing
        """Called before the socket is closed, or given away."""
        self.is_over = False
        """True once there is nothing more to tell."""
        self.is_gone: bool = False
        """True once the connection was reset in front of an urgent byte, which poll(2) goes on to report."""
        self._teller: int | None = None
        self._position = 0
        self._socket = sock
        self._tell = tell
        self._note: Callable[..., None] = getattr(sock, "note_urgent", nothing) if note is None else note
        self._taking = threading.RLock()
        self._telling = threading.RLock()

    def check(self) -> None:
        """Raise what the handler has raised in another thread, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error

    def take(self) -> tuple[bytes, int] | None:
        """Take an urgent byte out of line; return it and its position, or None if there is none any more."""
        with self._taking:
            ahead = bytes_before_mark(self._socket)
            byte = urgent.take(self._socket)
            if not byte:
                self.is_gone = urgent.is_gone(self._socket)
                return None
            if not sockets.is_ip(self._socket):
                pass_taken(self._socket)
            self._note(byte, ahead)
            return byte, self._position + ahead

    def tell(self) -> None:
        """Take an urgent byte out of line, and tell the handler."""
        with self._telling:
            found = None if self.is_over else self.take()
            if found is not None:
                self._tell_of(*found)

    def _tell_of(self, byte: bytes, position: int) -> None:
        before, self._teller = self._teller, threading.get_ident()
        try:
            self._tell(byte, position)
        finally:
            self._teller = before

    def let_go(self) -> None:
        """Drop the references to the handler: a cycle would wait for the collector."""
        self._tell = self._note = self.stop = nothing

    def is_telling_here(self) -> bool:
        """Return whether this thread is telling the handler of a byte."""
        return self._teller == threading.get_ident()

    def read(self, events: int, flags: int, call: Callable[..., Any]) -> Any:
        """Return what `call(twin, flags, is_alone)` reads. Raises BlockingIOError. An urgent byte in line is alone.

        The twin has no timeout: with one, a read could wait again, and then discard an urgent byte. If another thread
        is telling the handler of a byte, the read waits for that.
        """
        with self._telling, self._taking:
            if not (self.is_inline or self.is_gone):
                now = events_of(self._socket.fileno(), 0.0)
                if now & PRI or not now:  # what was there before was taken by another thread
                    raise BlockingIOError
            return self._read(events, flags, call)

    def _read(self, events: int, flags: int, call: Callable[..., Any]) -> Any:
        found = None
        with self._taking:
            twin = urgent.twin_of(self._socket)
            try:
                is_alone = self.is_inline and bool(events & PRI) and urgent.is_at_mark(twin)
                if is_alone and not flags & PEEK:
                    found = twin.recv(1, PEEK | DONTWAIT), self._position
                    self._note()
                result = call(twin, flags | DONTWAIT, is_alone)
            finally:
                twin.detach()
            self.passed(0 if flags & PEEK else size_of(result))
        if found is not None:
            self._tell_of(*found)
        return result

    def passed(self, size: int) -> None:
        """Count bytes of the stream that were read."""
        self._position += size


class UrgentSocket(socket.socket):
    """A socket that waits for ordinary and urgent data at once, and tells of urgent data first."""

    __slots__ = ()

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """See socket.socket."""
        if flags & OOB:
            return super().recv(bufsize, flags)
        return bytes(self._look(flags, lambda twin, flags, is_alone: twin.recv(1 if is_alone else bufsize, flags)))

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """See socket.socket."""
        if flags & OOB:
            return super().recv_into(buffer, nbytes, flags)
        return int(
            self._look(flags, lambda twin, flags, is_alone: twin.recv_into(buffer, 1 if is_alone else nbytes, flags))
        )

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """See socket.socket."""
        return self.recv(bufsize, flags), None

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """See socket.socket."""
        return self.recv_into(buffer, nbytes, flags), None

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> tuple[bytes, list[Any], int, Any]:
        """See socket.socket."""
        result: tuple[bytes, list[Any], int, Any] = self._look(
            flags,
            lambda twin, flags, is_alone: twin.recvmsg(1 if is_alone else bufsize, ancbufsize, flags),
        )
        return result

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[Any], int, Any]:
        """See socket.socket."""
        views = [memoryview(each).cast("B") for each in buffers]
        result: tuple[int, list[Any], int, Any] = self._look(
            flags,
            lambda twin, flags, is_alone: twin.recvmsg_into(
                [views[0][:1]] if is_alone and views else views, ancbufsize, flags
            ),
        )
        return result

    def _look(self, flags: int, call: Callable[..., Any]) -> Any:
        timeout = 0.0 if flags & DONTWAIT else self.gettimeout()
        deadline = None if timeout is None else monotonic() + timeout
        reader = _readers[self]
        while True:
            events = self.await_events(flags, deadline)
            reader.check()
            if not events:
                raise _too_late(timeout)
            if events & PRI and not (reader.is_inline or reader.is_gone):
                reader.tell()
                continue
            try:
                return reader.read(events, flags, call)
            except BlockingIOError:  # a Unix socket is readable until the place of a taken byte was read
                pass

    def await_events(self, flags: int, deadline: float | None) -> int:  # an override needs the flags
        """Wait until the deadline for data, ordinary or urgent; return the events. May be overridden."""
        return events_of(self.fileno(), deadline, _readers[self].alarm)

    def detach(self) -> int:
        """See socket.socket."""
        _readers[self].stop()
        return super().detach()

    def _real_close(self, *args: Any) -> None:
        """Read past the place of a byte that was taken: closing a TCP connection in front of it would reset it."""
        try:
            _readers[self].stop()
        finally:
            if self.fileno() >= 0 and not _readers[self].is_inline:
                pass_mark(self)
            super()._real_close(*args)  # type: ignore[misc]  # socket.socket's own hook for the last close


def _too_late(timeout: float | None) -> OSError:
    return TimeoutError("timed out") if timeout else BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def size_of(result: Any) -> int:
    """Return how many bytes a read has returned."""
    what = result[0] if isinstance(result, tuple) else result
    return what if isinstance(what, int) else len(what)


def look_first(sock: Any, reader: UrgentReader, base: type[UrgentSocket] = UrgentSocket) -> None:
    """Make a socket look for urgent data before each read; its class becomes a subclass, of `base` too."""
    held = held_by(sock)
    if held:
        sock.recv(len(held))  # restores its class
    if reader.is_inline:
        urgent.keep_inline(sock)
    _readers[sock] = reader
    sock.__class__ = _looking_class(type(sock), base)  # type: ignore[arg-type]  # classes are hashable
    give_back(sock, held)


def read_as_usual(sock: Any) -> None:
    """Undo `look_first`: urgent data is discarded, as without it."""
    if sock in _readers:
        held = held_by(sock)
        if held:
            sock.recv(len(held))
        if type(sock) in _PLAIN:
            sock.__class__ = _PLAIN[type(sock)]
            del _readers[sock]
        give_back(sock, held)


def reader_of(sock: Any) -> UrgentReader:
    """Return the reader of a socket that looks first."""
    return _readers[sock]


_PLAIN: dict[type[Any], type[Any]] = {}


@cache
def _looking_class(kind: type[Any], base: type[Any]) -> type[Any]:
    """Return a subclass of a class of sockets with a class that looks first, next to the kernel's socket.

    So a tap above it records what is read, and nothing before.
    """
    bases = (base,) if issubclass(base, kind) else (kind, base)
    made = type(kind.__name__, bases, {"__slots__": (), "__module__": kind.__module__})
    _PLAIN[made] = kind
    return made
