"""The TLS of a server's request, lent to a relay, which does not close it."""

from __future__ import annotations

import contextlib
from typing import Any

from windsock.net.system import socket, ssl
from windsock.security.socket_wrapper import SocketWrapper

__all__ = ["TLSLine"]


class TLSLine(SocketWrapper):
    """The TLS of a request for a relay: it never blocks, and raises BlockingIOError as plain sockets do.

    `raw` is a socket over a copy of the request's descriptor.
    """

    def __init__(self, secured: Any, raw: socket.socket) -> None:
        super().__init__(raw)
        self._secured = secured
        secured.settimeout(0.0)

    @property
    def was_truncated(self) -> bool:
        """Whether the client's stream has ended without close_notify."""
        return bool(self._secured.was_truncated)

    def recv_into(self, buffer: Any) -> int:
        """See socket.socket."""
        try:
            return int(self._secured.recv_into(buffer))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError(str(error)) from None

    def send(self, data: Any) -> int:
        """See socket.socket. Data that could not be sent must be passed again."""
        try:
            return int(self._secured.send(data))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError(str(error)) from None

    def shutdown(self, how: int) -> None:
        """See socket.socket. Sends close_notify first, if there is room for it."""
        with contextlib.suppress(ssl.SSLWantWriteError):
            self._secured.say_goodbye()
        self.raw.shutdown(how)

    def close_without_notify(self) -> None:
        """Send the end of the stream without close_notify."""
        self.raw.shutdown(socket.SHUT_WR)

    def detach(self) -> int:
        """See socket.socket."""
        return int(self.raw.detach())
