"""An endpoint of a relayed stream that speaks TLS: the relay carries the plaintext."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from windsock.net import sockets, urgent
from windsock.net.system import monotonic, socket, ssl
from windsock.relay.buffered_endpoint import BufferedEndpoint
from windsock.security.tls_socket import TLSSocket
from windsock.servers.urgent_socket import PRI, events_of

__all__ = ["TLSEnd", "TLSEndpoint"]


class TLSEnd(TLSSocket):
    """A TLS socket for a relay: after its handshake it never blocks, and raises BlockingIOError as plain sockets do.

    `note` is called with a text about each urgent byte, which is dropped: TLS has none.
    """

    note: Callable[[str], object] | None = None

    def _fill(self) -> None:
        """Take urgent bytes first: a read in front of one would discard it."""
        timeout = self.raw.gettimeout()
        deadline = None if timeout is None else monotonic() + timeout
        while (events := events_of(self.raw.fileno(), deadline)) & PRI and self.drop_urgent():
            pass
        if timeout and not events:
            raise TimeoutError("timed out")
        super()._fill()

    def drop_urgent(self) -> bool:
        """Drop an urgent byte, and report it; return whether there was one."""
        data = urgent.take(self.raw)
        if data and self.note is not None:
            self.note(f"1 B of urgent data was not passed on, since TLS has none: {data!r}")
        return bool(data)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """See socket.socket."""
        try:
            return super().recv_into(buffer, nbytes, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError(str(error)) from None

    def send(self, data: Any, flags: int = 0, /) -> int:
        """See socket.socket. Data that could not be sent must be passed again."""
        try:
            return super().send(data, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError(str(error)) from None

    def shutdown(self, how: int, /) -> None:
        """See socket.socket. Sends close_notify first, if there is room for it."""
        with contextlib.suppress(ssl.SSLWantWriteError):
            super().shutdown(how)

    def close_without_notify(self) -> None:
        """Send the end of the stream without close_notify."""
        self.raw.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close, without waiting."""
        self.abandon()

    def detach(self) -> int:
        """See socket.socket."""
        return int(self.raw.detach())


class TLSEndpoint(BufferedEndpoint):
    """An endpoint that speaks TLS, which may receive several records at once."""

    def _prepare(self) -> None:
        """Leave urgent bytes out of the stream: TLS has none, and one in line would break it."""
        self.socket.note = self.relay.note

    def _is_at_mark(self) -> bool:
        self.socket.drop_urgent()
        return False

    def _write_urgent(self, data: memoryview) -> int:
        return self._write_unmarked(data, "the other end speaks TLS, which has no urgent data")

    def half_close(self) -> None:
        """Send the end of the stream; with close_notify, unless the other end has omitted it."""
        if getattr(self.inflow.source.socket, "was_truncated", False):
            self.socket.close_without_notify()
        else:
            super().half_close()

    def close(self, *, orderly: bool) -> None:
        """Close; a reset is one of the connection below."""
        if not orderly and not self.is_gone:
            self._park()
            self.is_gone = True
            sockets.reset(self.socket.raw)
            return
        super().close(orderly=orderly)
