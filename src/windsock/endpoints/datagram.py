"""A datagram endpoint: each datagram is sent whole or not at all, and may find no receiver."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from windsock.endpoints.endpoint import Endpoint
from windsock.endpoints.outcomes import is_own_timeout, says_nothing
from windsock.errors import UsageError
from windsock.net.deadlines import capped
from windsock.net.system import monotonic, socket
from windsock.scripts import Inbox

__all__ = ["DatagramEndpoint"]

LARGEST = 65536
"""The size of the largest datagram in bytes."""


class DatagramEndpoint(Endpoint):
    """An endpoint with a datagram socket: connected, or bound and replying to the latest sender."""

    def __init__(
        self,
        sock: socket.socket,
        inbox: Inbox | None = None,
        *,
        is_client: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(sock, Inbox(is_datagram=True) if inbox is None else inbox, is_client=is_client, clock=clock)
        self.to: Any = None
        """The address that datagrams are sent to; None: the socket is connected."""

    def transmit(self, data: bytes, deadline: float, *, is_urgent: bool = False) -> None:  # noqa: ARG002  # a datagram
        """Send a datagram. If the receiver is gone, note that in the inbox. Raises TimeoutError at the deadline."""
        self.check_may_send(data)
        self.inbox.was_reset = False  # each datagram is a new attempt
        try:
            seconds = self.left(deadline)
            self.sock.settimeout(capped(seconds))
            self.send_one(data)
        except OSError as error:
            if is_own_timeout(error):
                raise TimeoutError("the receiver took nothing") from None
            self.failed_to_send(error, len(data))
        else:
            self.inbox.note_sent(data, self.clock())

    def failed_to_send(self, error: OSError, size: int = 0) -> None:
        """Note that the receiver is gone. Raises UsageError for a datagram that no receiver could take."""
        if error.errno == errno.EMSGSIZE:
            raise UsageError(f"send(...): {size} bytes are too many for one datagram here") from None
        self.lost(error)

    def send_one(self, data: bytes | memoryview) -> None:
        """Send one datagram to the current receiver."""
        if self.to is None:
            self.sock.send(data)
        else:
            self.sock.sendto(data, self.to)

    def read(self) -> bytes | None:
        """See Endpoint. Reads one datagram; if the socket is not connected, replies go to its sender from now on."""
        try:
            if self.is_client:
                data: bytes = self.sock.recv(LARGEST)
            else:
                data, self.to = self.sock.recvfrom(LARGEST)
        except OSError as error:
            if says_nothing(error):
                return None
            self.lost(error)
            return b""
        self.inbox.receive(data, self.clock())
        return data
