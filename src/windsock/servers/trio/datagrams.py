"""Replies to a datagram from a task: through the server's own socket, without blocking."""

from __future__ import annotations

import contextlib
from typing import Any

from windsock.net.system import connect, select, socket

__all__ = ["DatagramRequest"]

GONE = (ConnectionRefusedError, ConnectionResetError, FileNotFoundError)


class DatagramRequest:
    """One datagram: its data is `packet`, its sender `client_address`."""

    __slots__ = ("_socket", "client_address", "packet")

    def __init__(self, request: tuple[bytes, Any], client_address: Any) -> None:
        self.packet, self._socket = request
        self.client_address: Any = client_address

    async def reply(self, data: bytes) -> None:
        """Send a datagram back; waits while the client has no room for it.

        It does not fail if the client has no address or is gone.
        """
        import trio

        await trio.lowlevel.checkpoint()
        if self.client_address is None:
            return
        with contextlib.suppress(*GONE):
            while not self._send_now(data):
                with self._what_becomes_writable() as probe:
                    await trio.lowlevel.wait_writable(probe)

    def _send_now(self, data: bytes) -> bool:
        """Try to send without waiting, on a blocking socket that threads also use; return whether it was sent."""
        try:
            self._socket.sendto(data, socket.MSG_DONTWAIT, self.client_address)
        except BlockingIOError:
            return False
        return True

    def _has_room(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        return bool(poll.poll(0))

    def _what_becomes_writable(self) -> socket.socket:
        """Return a socket of our own that becomes writable when there is room again.

        Only one task may wait on a descriptor. For a Unix socket the room may be lacking at the receiver, and the
        kernel reports that only to a connected socket (unix(7), EAGAIN).
        """
        family: int = self._socket.family
        duplicate: socket.socket
        if family != getattr(socket, "AF_UNIX", None) or not self._has_room():
            duplicate = self._socket.dup()
            return duplicate
        probe = socket.socket(family, socket.SOCK_DGRAM)
        try:
            probe.setblocking(False)
            connect(probe, self.client_address)
        except PermissionError:  # it is connected to us: only our buffer counts, and has room by now
            probe.close()
            duplicate = self._socket.dup()
            return duplicate
        except BaseException:
            probe.close()
            raise
        return probe
