"""A datagram server's socket for greenlets: while a call would block, other requests run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from windsock.net.system import connect, monotonic, os, socket
from windsock.servers.selecting.hub import Hub, my_turn
from windsock.servers.selecting.readiness import DONTWAIT, OUT, wait_alone

__all__ = ["GreenDatagrams"]

AF_UNIX = getattr(socket, "AF_UNIX", None)


class GreenDatagrams:
    """The server's datagram socket as a handler sees it: while a call would block, other requests run.

    The socket itself is the listener and stays unchanged; waits use a duplicate of it.
    """

    __slots__ = ("_socket", "received", "selecting_hub", "sent")

    def __init__(self, server_socket: Any, hub: Hub | None, received: int) -> None:
        self._socket = server_socket
        self.selecting_hub: Hub | None = hub
        self.received: int = received
        self.sent: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def sendto(self, data: Any, *rest: Any) -> int:
        """See socket.socket."""
        flags = rest[0] if len(rest) > 1 else 0
        return self._send(flags, lambda: self._socket.sendto(data, flags | DONTWAIT, rest[-1]), rest[-1])

    def send(self, data: Any, flags: int = 0, /) -> int:
        """See socket.socket."""
        return self._send(flags, lambda: self._socket.send(data, flags | DONTWAIT), None)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """See socket.socket."""
        self.send(data, flags)

    def sendmsg(self, buffers: Iterable[Any], ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
        """See socket.socket."""
        parts = list(buffers)
        to = () if address is None else (address,)
        return self._send(flags, lambda: self._socket.sendmsg(parts, ancdata, flags | DONTWAIT, *to), address)

    def _send(self, flags: int, call: Any, address: Any) -> int:
        timeout = self._socket.gettimeout()
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            try:
                size: int = call()
            except BlockingIOError:
                if flags & DONTWAIT or timeout == 0.0:
                    raise
                self._wait_for_room(address, deadline)
            else:
                self.sent += size
                return size

    def _wait_for_room(self, address: Any, deadline: float | None) -> None:
        """Wait until there may be room: in our buffer or, for Unix sockets, in the receiver's queue (unix(7))."""
        own = self._socket.fileno()
        if address is not None and self._socket.family == AF_UNIX and wait_alone(own, OUT, 0.0):
            with socket.socket(self._socket.family, self._socket.type) as other:
                try:
                    connect(other, address)  # then the kernel reports room in the receiver's queue
                except PermissionError:
                    return  # it is connected to us: only our buffer counts, and has room by now
                self._wait_for(other.fileno(), deadline)
            return
        descriptor = os.dup(own)
        try:
            self._wait_for(descriptor, deadline)
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int, deadline: float | None) -> None:
        try:
            wait_for(self.selecting_hub, descriptor, OUT, deadline)
        finally:
            if self.selecting_hub is not None and not self.selecting_hub.is_elsewhere:
                self.selecting_hub.closing(descriptor)


def wait_for(hub: Hub | None, descriptor: int, what: int, deadline: float | None) -> None:
    """Wait until a descriptor is ready; in a greenlet of the hub, other requests run meanwhile.

    Raises TimeoutError after the deadline (monotonic seconds).
    """
    turn = my_turn(hub)
    if turn is None:
        is_ready = wait_alone(descriptor, what, deadline)
    else:
        is_ready = turn.hub.wait_for(turn, descriptor, what, deadline)
    if not is_ready:
        raise TimeoutError("timed out")
