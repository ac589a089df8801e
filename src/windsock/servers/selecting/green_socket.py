"""A socket that blocks only its own greenlet: while it waits, other requests run."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Any

from greenlet import getcurrent

from windsock.net.sendfile import send_file
from windsock.net.system import accept, monotonic, os, socket
from windsock.servers.selecting.hub import Hub, my_turn
from windsock.servers.selecting.readiness import DONTWAIT, IN, OUT, wait_alone
from windsock.servers.selecting.request_greenlet import RequestGreenlet

__all__ = ["GreenSocket", "green"]

Plain = socket.socket
BUDGET = 512 * 1024
"""The number of bytes after which a request yields to others, though its socket is always ready."""
PER_CALL = 4096
"""The number of bytes that each call counts for in addition."""
LARGEST_PIECE = 1024 * 1024


class GreenSocket(socket.socket):
    """A socket of a server with greenlets: blocking, with timeouts, to its handler; non-blocking to the kernel.

    While a call would block, the other requests of the server run. In a handler's own thread, and in a forked
    child, it blocks like any other socket. `dup()` returns a socket of the same kind.
    """

    selecting_hub: Hub | None = None
    _timeout: float | None = None
    _budget = BUDGET
    _is_drained = False
    is_parting = False
    """True once its descriptor must not be waited for, as it is being closed or is closed."""
    received: int = 0
    """The number of bytes received and sent."""
    sent: int = 0

    # --- behaving like a blocking socket

    def gettimeout(self) -> float | None:
        """See socket.socket."""
        return self._timeout

    def settimeout(self, value: float | None, /) -> None:
        """See socket.socket."""
        super().settimeout(value)  # checks the value
        self._timeout = super().gettimeout()
        super().settimeout(0.0)

    def setblocking(self, flag: bool, /) -> None:
        """See socket.socket."""
        self._timeout = None if flag else 0.0

    def getblocking(self) -> bool:
        """See socket.socket."""
        return self._timeout != 0.0

    @property
    def timeout(self) -> float | None:  # an attribute in the base
        """See socket.socket."""
        return self._timeout

    def dup(self) -> GreenSocket:  # not Self, which a tap's class could not keep
        """See socket.socket."""
        twin = GreenSocket(self.family, self.type, self.proto, fileno=os.dup(self.fileno()))
        return twin.belong_to(self.selecting_hub, self._timeout)

    def belong_to(self, hub: Hub | None, timeout: float | None = None) -> GreenSocket:
        """Make the kernel's socket non-blocking, and set the hub that runs while it waits."""
        Plain.setblocking(self, False)
        self.selecting_hub = hub
        if hub is not None:
            hub.has_new(self.fileno())
        if timeout is not None:
            self._timeout = timeout
        return self

    def detach(self) -> int:
        """See socket.socket. Makes the descriptor blocking again."""
        descriptor = self.fileno()
        if descriptor >= 0:
            self._part_with(descriptor)
            os.set_blocking(descriptor, True)
        return super().detach()

    # --- receiving

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """See socket.socket."""
        deadline = self._begin(flags) if self._is_drained or self._budget < 0 else None
        while True:
            try:
                data = Plain.recv(self, bufsize, flags)
            except BlockingIOError:
                deadline = self._wait(IN, flags, deadline)
            else:
                size = len(data)
                self.received += size
                self._is_drained = 0 < size < bufsize
                if not self._is_drained:  # otherwise the next call waits first
                    self._budget -= PER_CALL + size
                return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """See socket.socket."""
        deadline = self._begin(flags) if self._is_drained or self._budget < 0 else None
        while True:
            try:
                size = Plain.recv_into(self, buffer, nbytes, flags)
            except BlockingIOError:
                deadline = self._wait(IN, flags, deadline)
            else:
                self.received += size
                self._budget -= PER_CALL + size
                self._is_drained = 0 < size < (nbytes or len(buffer))
                return size

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """See socket.socket."""
        result: tuple[bytes, Any] = self._receive(Plain.recvfrom, flags, bufsize, flags)
        return result

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """See socket.socket."""
        result: tuple[int, Any] = self._receive(Plain.recvfrom_into, flags, buffer, nbytes, flags)
        return result

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> tuple[bytes, list[Any], int, Any]:
        """See socket.socket."""
        result: tuple[bytes, list[Any], int, Any] = self._receive(Plain.recvmsg, flags, bufsize, ancbufsize, flags)
        return result

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[Any], int, Any]:
        """See socket.socket."""
        buffers = list(buffers)
        result: tuple[int, list[Any], int, Any] = self._receive(Plain.recvmsg_into, flags, buffers, ancbufsize, flags)
        return result

    def _receive(self, call: Any, flags: int, *args: Any) -> Any:
        deadline = self._begin(flags)
        while True:
            try:
                result = call(self, *args)
            except BlockingIOError:
                deadline = self._wait(IN, flags, deadline)
            else:
                self._came(result[0] if type(result[0]) is int else len(result[0]))
                return result

    def _came(self, size: int) -> None:
        self.received += size
        self._budget -= PER_CALL + size
        self._is_drained = False

    # --- sending

    def send(self, data: Any, flags: int = 0, /) -> int:
        """See socket.socket."""
        if self._budget < 0:
            self._let_others(flags)
        deadline = None
        while True:
            try:
                size = Plain.send(self, data, flags)
            except BlockingIOError:
                deadline = self._wait(OUT, flags, deadline)
            else:
                self.sent += size
                self._budget -= PER_CALL + size
                return size

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """See socket.socket. The timeout applies to the whole call."""
        deadline = None if self._timeout is None else monotonic() + self._timeout
        with memoryview(data) as view, view.cast("B") as rest:
            position = 0
            while position < len(rest) or not len(rest):
                if self._budget < 0:
                    self._let_others(flags)
                try:
                    size = Plain.send(self, rest[position : position + LARGEST_PIECE], flags)
                except BlockingIOError:
                    deadline = self._wait(OUT, flags, deadline)
                    continue
                position += size
                self.sent += size
                self._budget -= PER_CALL + size
                if not len(rest):
                    return

    def sendto(self, data: Any, *rest: Any) -> int:
        """See socket.socket."""
        return self._send(Plain.sendto, rest[0] if len(rest) > 1 else 0, data, *rest)

    def sendmsg(self, buffers: Iterable[Any], ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
        """See socket.socket."""
        return self._send(Plain.sendmsg, flags, list(buffers), ancdata, flags, *([] if address is None else [address]))

    def _send(self, call: Any, flags: int, *args: Any) -> int:
        if self._budget < 0:
            self._let_others(flags)
        deadline = None
        while True:
            try:
                size: int = call(self, *args)
            except BlockingIOError:
                deadline = self._wait(OUT, flags, deadline)
            else:
                self.sent += size
                self._budget -= PER_CALL + size
                return size

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """See socket.socket. Reads the file and sends it."""
        return send_file(self.sendall, file, offset, count, LARGEST_PIECE)

    # --- connecting and accepting

    def connect(self, address: Any, /) -> None:
        """See socket.socket."""
        try:
            Plain.connect(self, address)
        except BlockingIOError:
            self._wait(OUT, 0, None)
            number = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                raise OSError(number, os.strerror(number)) from None

    def accept(self) -> tuple[GreenSocket, Any]:
        """See socket.socket."""
        deadline = None
        while True:
            try:
                accepted, address = accept(self)
            except BlockingIOError:
                deadline = self._wait(IN, 0, deadline)
            else:
                return green(accepted, self.selecting_hub), address

    # --- waiting

    def _begin(self, flags: int) -> float | None:
        """Before a call: wait if it would fail, or let others run if the budget is used up; return the deadline."""
        if self._budget < 0:
            self._let_others(flags)
        elif self._is_drained and not flags & DONTWAIT and self._timeout != 0.0:
            return self._wait(IN, flags, None)
        return None

    def _wait(self, what: int, flags: int, deadline: float | None) -> float | None:
        """Wait until the socket is ready; return the deadline, which the first wait of a call sets.

        Raises BlockingIOError (again) for a non-blocking call.
        """
        if self._timeout is not None or flags & DONTWAIT:
            if self._timeout == 0.0 or flags & DONTWAIT:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            if deadline is None:
                deadline = monotonic() + (self._timeout or 0.0)
        self._budget = BUDGET
        turn = getcurrent()
        hub = self.selecting_hub
        if type(turn) is RequestGreenlet and turn.hub is hub and not hub.is_elsewhere:
            is_ready = hub.wait_for(turn, self.fileno(), what, deadline, self)
        else:
            is_ready = wait_alone(self.fileno(), what, deadline)
        if not is_ready:
            raise TimeoutError("timed out")
        return deadline

    def _let_others(self, flags: int) -> None:
        """Let other requests run, though this socket may be ready."""
        self._budget = BUDGET
        turn = my_turn(self.selecting_hub)
        if turn is not None and not flags & DONTWAIT and self._timeout != 0.0:
            turn.hub.let_others(turn)

    def _part_with(self, descriptor: int) -> None:
        if self.selecting_hub is not None and not self.selecting_hub.is_elsewhere:
            self.selecting_hub.part_with(descriptor, self)

    def _real_close(self, *args: Any) -> None:
        self._part_with(self.fileno())
        super()._real_close(*args)  # type: ignore[misc]  # socket.socket's own hook for the last close


def green(plain: socket.socket, hub: Hub | None) -> GreenSocket:
    """Return a green socket that takes over the descriptor of a plain one."""
    timeout = plain.gettimeout()
    numbers: Any = super(socket.socket, plain)  # its family and type are plain numbers, not enums
    twin = GreenSocket(numbers.family, numbers.type, numbers.proto, fileno=plain.detach())
    return twin.belong_to(hub, timeout)
