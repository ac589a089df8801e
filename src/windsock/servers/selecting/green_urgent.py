"""A green socket that looks for urgent data before each read; the loop wakes its greenlet for urgent data too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from windsock.servers.selecting.green_socket import GreenSocket
from windsock.servers.selecting.hub import my_turn
from windsock.servers.selecting.readiness import IN, OUT
from windsock.servers.urgent_socket import PRI, UrgentSocket, events_of, reader_of, size_of

__all__ = ["UrgentGreenSocket"]


class UrgentGreenSocket(GreenSocket, UrgentSocket):
    """Waits in the loop for ordinary and urgent data; looks for urgent data before it sends, and while it waits to."""

    __slots__ = ()

    recv, recv_into = UrgentSocket.recv, UrgentSocket.recv_into
    recvfrom, recvfrom_into = UrgentSocket.recvfrom, UrgentSocket.recvfrom_into
    recvmsg, recvmsg_into = UrgentSocket.recvmsg, UrgentSocket.recvmsg_into

    def watch_urgent(self) -> None:
        """Have the loop watch for urgent data while the greenlet waits for this socket."""
        if self.selecting_hub is not None:
            self.selecting_hub.watch_urgent(self.fileno())

    def await_events(self, flags: int, deadline: float | None) -> int:
        """See UrgentSocket."""
        if my_turn(self.selecting_hub) is None:
            return super().await_events(flags, deadline)
        if self._budget < 0:
            self._let_others(flags)
        while not (events := events_of(self.fileno(), 0.0)):
            super()._wait(IN, flags, deadline)  # raises TimeoutError and BlockingIOError
        return events

    def send(self, data: Any, flags: int = 0, /) -> int:
        """See socket.socket."""
        self._tell_of_urgent()
        return super().send(data, flags)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """See socket.socket."""
        self._tell_of_urgent()
        super().sendall(data, flags)

    def _send(self, call: Any, flags: int, *args: Any) -> int:
        self._tell_of_urgent()
        return super()._send(call, flags, *args)

    def _tell_of_urgent(self) -> None:
        """Tell the handler of an urgent byte that has come: nothing does while it only sends."""
        reader = reader_of(self)
        if not reader.is_inline and events_of(self.fileno(), 0.0) & PRI:
            reader.tell()

    def _wait(self, what: int, flags: int, deadline: float | None) -> float | None:
        deadline = super()._wait(what, flags, deadline)
        if what == OUT:
            self._tell_of_urgent()
        return deadline

    def _look(self, flags: int, call: Callable[..., Any]) -> Any:
        result = super()._look(flags, call)
        self._came(size_of(result))
        return result
