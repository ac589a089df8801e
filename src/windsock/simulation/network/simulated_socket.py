"""What the sockets of all protocols have: options, events, and functions to call when events may have changed.

A call that would have to wait raises BlockingIOError (EAGAIN), as if the socket were non-blocking. Errors are OSError
with the errno value that Linux gives. Results have the types of Python's `socket.socket`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, TypeAlias

from windsock.net.system import socket
from windsock.simulation.network.failure import failure
from windsock.simulation.network.socket_options import SocketOptions

__all__ = ["Ancillary", "Message", "SimulatedSocket"]

Ancillary: TypeAlias = "list[tuple[int, int, Any]]"
Message: TypeAlias = "tuple[bytes, Ancillary, int, Any]"
"""What recvmsg() returns: data, ancillary data, flags, and the sender's address."""


class SimulatedSocket:
    """One socket of a host. Subclasses are the protocols."""

    def __init__(self, family: int, kind: int, proto: int = 0, options: SocketOptions | None = None) -> None:
        self.family = family
        self.type = kind
        self.proto = proto
        self.options: SocketOptions = options or SocketOptions(family, kind)
        self.is_closed = False
        self._subscribers: list[Callable[[], object]] = []

    def subscribe(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call a function each time that `events()` may have changed; return a function that ends this."""
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    def changed(self) -> None:
        """Call the subscribers."""
        if self._subscribers:
            for callback in tuple(self._subscribers):
                callback()

    # --- options

    def getsockopt(self, level: int, option: int, size: int = 0) -> int | bytes:
        """Return an option. Raises OSError (ENOPROTOOPT) for one that is not known here."""
        if level == socket.SOL_SOCKET and option in (known := self._facts()):
            return SocketOptions.encode(known[option]().to_bytes(4, "little", signed=True), size)
        return self.options.get(level, option, size)

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        """Set an option. Raises OSError (ENOPROTOOPT) for one that is not known here, or cannot be set."""
        self.options.set(level, option, value)
        self.changed()

    def _facts(self) -> dict[int, Callable[[], int]]:
        """Return the options that can only be read."""
        return {
            socket.SO_TYPE: lambda: self.type,
            socket.SO_DOMAIN: lambda: self.family,
            socket.SO_PROTOCOL: lambda: self.proto,
            socket.SO_ACCEPTCONN: lambda: int(self.is_listening()),
            socket.SO_ERROR: self.take_error,
        }

    def is_listening(self) -> bool:
        """Return whether the socket accepts connections."""
        return False

    # --- what protocols define; the rest is not supported by them

    def events(self) -> int:
        """Return the events that poll(2) reports: POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLERR, POLLHUP."""
        raise NotImplementedError

    def take_error(self) -> int:
        """Return the errno value of the pending error, and forget it; 0 if there is none."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the socket. Its methods must not be called afterwards, except for this one."""
        raise NotImplementedError

    def bind(self, address: Any) -> None:
        """Give the socket an address."""
        raise NotImplementedError

    def connect(self, address: Any) -> None:
        """Connect. Raises OSError (EINPROGRESS) for TCP: events() says when to call it again for the result."""
        raise NotImplementedError

    def disconnect(self) -> None:
        """Dissolve the connection, as connect(2) to AF_UNSPEC does."""
        raise failure(errno.EAFNOSUPPORT)

    def listen(self, backlog: int = 128) -> None:  # noqa: ARG002
        """Accept connections from now on, of which `backlog` and one more can wait."""
        raise failure(errno.EOPNOTSUPP)

    def accept(self) -> tuple[SimulatedSocket, Any]:
        """Return the socket of the next connection, and the address of its peer."""
        raise failure(errno.EOPNOTSUPP)

    def send(self, data: Any, flags: int = 0) -> int:
        """Send bytes; return how many were taken."""
        return self.sendmsg([data], flags=flags)

    def sendto(self, data: Any, flags: int, address: Any) -> int:
        """Send a datagram to an address."""
        return self.sendmsg([data], flags=flags, address=address)

    def sendmsg(self, buffers: Any, ancillary: Any = (), flags: int = 0, address: Any = None) -> int:
        """Send the bytes of several buffers as one message."""
        raise NotImplementedError

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return received bytes."""
        return self.recvmsg(size, flags)[0]

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Any]:
        """Return received bytes and their sender."""
        data, _, _, address = self.recvmsg(size, flags)
        return data, address

    def recvmsg(self, size: int, flags: int = 0) -> Message:
        """Return received bytes with all that came along: unlike Python's method, it takes no size for that."""
        raise NotImplementedError

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """Receive into a buffer; return the number of bytes."""
        return self.recvfrom_into(buffer, size, flags)[0]

    def recvfrom_into(self, buffer: Any, size: int = 0, flags: int = 0) -> tuple[int, Any]:
        """Receive into a buffer; return the number of bytes and their sender."""
        with memoryview(buffer).cast("B") as view:
            data, address = self.recvfrom(size or len(view), flags)
            fitting = data[: len(view)]  # more is there with MSG_TRUNC
            view[: len(fitting)] = fitting
        return len(data), address

    def shutdown(self, how: int) -> None:
        """End the receiving half, the sending one, or both."""
        raise NotImplementedError

    def getsockname(self) -> Any:
        """Return the socket's own address."""
        raise NotImplementedError

    def getpeername(self) -> Any:
        """Return the address of the peer. Raises OSError (ENOTCONN) if there is none."""
        raise NotImplementedError

    def unread(self) -> int:
        """Return the number of bytes that the next read can return (FIONREAD)."""
        raise NotImplementedError

    def unsent(self) -> int:
        """Return the number of bytes on their way (TIOCOUTQ): for a Unix socket, those that the peer has not read."""
        raise NotImplementedError

    def is_at_mark(self) -> bool:
        """Return whether the next byte to be read is urgent (SIOCATMARK, sockatmark(3))."""
        raise failure(errno.ENOTTY)
