"""Unix sockets with connections: streams, and records (SOCK_SEQPACKET)."""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Any

from windsock.net.callbacks import nothing
from windsock.net.system import socket
from windsock.simulation.network.datagram_queue import DatagramQueue, ReceivedDatagram
from windsock.simulation.network.failure import failure
from windsock.simulation.network.halves import BOTH, RECEIVING, SENDING, halves_of, mirrored
from windsock.simulation.network.message_flags import OOB, PEEK
from windsock.simulation.network.poll_events import ERR, HUP, IN, OUT, PRI, RDHUP
from windsock.simulation.network.simulated_socket import Ancillary, Message, SimulatedSocket
from windsock.simulation.network.unix.inbox import UnixInbox
from windsock.simulation.network.unix.socket import UnixSocket

if TYPE_CHECKING:
    from windsock.simulation.network.socket_host import SocketHost

__all__ = ["UnixStreamSocket"]


class UnixStreamSocket(UnixSocket):
    """A Unix socket that connects or listens. What it sends is at its peer at once."""

    def __init__(self, host: SocketHost, kind: int) -> None:
        super().__init__(host, kind)
        self._peer: UnixStreamSocket | None = None
        self._inbox: UnixInbox | DatagramQueue = UnixInbox() if kind == socket.SOCK_STREAM else DatagramQueue()
        self._backlog: int | None = None
        """How many connections can wait, less one; None if the socket does not listen."""
        self._queue: deque[UnixStreamSocket] = deque()
        self._waiting: dict[UnixStreamSocket, None] = {}
        """Sockets whose connect() found the queue full."""

    def join(self, peer: UnixSocket) -> None:
        """Have a peer from now on."""
        assert isinstance(peer, UnixStreamSocket)
        self._peer = peer

    def has_peer(self) -> bool:
        """Return whether the socket is connected."""
        return self._peer is not None

    def getpeername(self) -> Any:
        """Return the name of the peer, "" if it has none."""
        if self._peer is None:
            raise failure(errno.ENOTCONN)
        return self._peer.name

    # --- connections

    def is_listening(self) -> bool:
        """Return whether the socket accepts connections."""
        return self._backlog is not None

    def listen(self, backlog: int = 128) -> None:
        """Accept connections from now on. Raises OSError (EINVAL) without a name."""
        if not self.name or self._peer is not None:
            raise failure(errno.EINVAL)
        self._backlog = max(0, backlog)
        self.changed()

    def connect(self, address: Any) -> None:
        """Connect at once. Raises OSError (EAGAIN) if the queue is full: subscribers are called when it is not."""
        listener = self.find(address)
        assert isinstance(listener, UnixStreamSocket)
        if self._peer is not None:
            raise failure(errno.EISCONN)
        if self.is_listening():
            raise failure(errno.EINVAL)
        listener.take_client(self)
        self.changed()

    def take_client(self, client: UnixStreamSocket) -> None:
        """Connect a client to a new socket in the queue. Raises OSError (ECONNREFUSED, EAGAIN)."""
        if self._backlog is None or self.shut & RECEIVING:
            raise failure(errno.ECONNREFUSED)
        if len(self._queue) > self._backlog:
            self._waiting[client] = None
            raise failure(errno.EAGAIN)
        accepted = UnixStreamSocket(self.host, self.type)
        accepted.name = self.name
        accepted.join(client)
        client.join(accepted)
        self._queue.append(accepted)
        self.changed()

    def accept(self) -> tuple[SimulatedSocket, Any]:
        """Return the socket of the next connection and its peer's name."""
        if self._queue:
            accepted = self._queue.popleft()
            self._wake()
            self.changed()
            return accepted, accepted.getpeername()
        raise failure(errno.EINVAL if self._backlog is None or self.shut & RECEIVING else errno.EAGAIN)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            each.changed()

    # --- data

    def sendmsg(self, buffers: Any, ancillary: Any = (), flags: int = 0, address: Any = None) -> int:
        """Send bytes, as many as fit, or one record."""
        data = buffers[0] if len(buffers) == 1 else b"".join(buffers)
        self._check(data, flags, address)
        peer = self._peer
        assert peer is not None
        room = self.options.send_buffer - peer.weight
        is_record = self.type == socket.SOCK_SEQPACKET
        if is_record and len(data) > self.options.send_buffer - 32:
            raise failure(errno.EMSGSIZE)
        if (room < len(data) if is_record else room <= 0) and data:
            raise failure(errno.EAGAIN)
        taken = bytes(data if is_record or len(data) <= room else data[: max(0, room)])
        peer.arrive(taken, list(ancillary), is_urgent=bool(flags & OOB) and len(taken) == len(data))
        self.changed()
        return len(taken)

    def _check(self, data: bytes | memoryview, flags: int, address: Any) -> None:
        if flags & OOB and (self.type != socket.SOCK_STREAM or not data):
            raise failure(errno.EOPNOTSUPP)
        if address is not None and self.type == socket.SOCK_STREAM:
            raise failure(errno.EISCONN if self._peer is not None else errno.EOPNOTSUPP)
        if self._peer is None:
            raise failure(errno.ENOTCONN)
        if self.type == socket.SOCK_SEQPACKET:
            self.raise_error()
        if self.shut & SENDING:
            raise failure(errno.EPIPE)

    @property
    def weight(self) -> int:
        """The memory that unread data takes, of the peer's send buffer."""
        return self._inbox.weight if isinstance(self._inbox, DatagramQueue) else len(self._inbox)

    def arrive(self, data: bytes, ancillary: Ancillary, *, is_urgent: bool) -> None:
        """Take what the peer has sent with one call."""
        if isinstance(self._inbox, DatagramQueue):
            self._inbox.append(ReceivedDatagram(data, None, ancillary, nothing))
        else:
            self._inbox.append(data, ancillary, is_urgent=is_urgent)
        self.changed()

    def recvmsg(self, size: int, flags: int = 0) -> Message:
        """Return received bytes or one record, b"" at the end."""
        if self._peer is None:
            raise failure(errno.EINVAL if self.type == socket.SOCK_STREAM else errno.ENOTCONN)
        if flags & OOB:
            return self._receive_urgent(flags)
        if self.type == socket.SOCK_SEQPACKET:
            self.raise_error()
        message = self._take(size, flags)
        if message is not None:
            self._peer.changed()
            return message
        self.raise_error()
        if self.shut & RECEIVING:
            return b"", [], 0, None
        raise failure(errno.EAGAIN)

    def _take(self, size: int, flags: int) -> Message | None:
        """Return what was received; None if nothing was, except perhaps for an urgent byte that is skipped."""
        inbox = self._inbox
        if isinstance(inbox, DatagramQueue):
            return inbox.take(size, flags) if inbox else None
        message = inbox.take(size, flags, is_inline=self.options.is_inline)
        return message if message[0] else None

    def _receive_urgent(self, flags: int) -> Message:
        if isinstance(self._inbox, DatagramQueue):
            raise failure(errno.EOPNOTSUPP)
        if self.options.is_inline or not self._inbox.has_urgent:
            raise failure(errno.EINVAL)
        return self._inbox.take_urgent(is_peeking=bool(flags & PEEK)), [], OOB, None

    def is_at_mark(self) -> bool:
        """Return whether the next byte is urgent, or follows an urgent one that was taken."""
        return not isinstance(self._inbox, DatagramQueue) and self._inbox.is_at_mark()

    # --- ends

    def shutdown(self, how: int) -> None:
        """End halves at both ends; without a connection, of the socket alone."""
        halves = halves_of(how)
        self.shut |= halves
        if self._peer is not None:
            self._peer.shut_by_peer(mirrored(halves))
        self._wake()
        self.changed()

    def shut_by_peer(self, halves: int, error: int = 0) -> None:
        """Take the end of halves."""
        self.shut |= halves
        self.error = error or self.error
        self.changed()

    def close(self) -> None:
        """Close the socket: its peer is reset if it has left bytes unread here, and sees the end otherwise."""
        if self.is_closed:
            return
        self.is_closed = True
        self.host.unix_names.remove(self)
        if self._peer is not None:
            self._peer.shut_by_peer(BOTH, errno.ECONNRESET if self._inbox else 0)
        while self._queue:
            self._queue.popleft().refuse()
        self._wake()
        self.changed()

    def refuse(self) -> None:
        """Reset the client of a connection that is never accepted."""
        if self._peer is not None:
            self._peer.shut_by_peer(BOTH, errno.ECONNRESET)

    # --- what there is

    def events(self) -> int:
        """Return the events that poll(2) reports."""
        mask = ERR if self.error else 0
        if self._inbox or self._queue:
            mask |= IN
        if isinstance(self._inbox, UnixInbox) and self._inbox.has_urgent:
            mask |= PRI
        if self.shut & RECEIVING:
            mask |= IN | RDHUP
        if self.shut == BOTH or (self._peer is None and self._backlog is None):
            mask |= HUP
        return mask | OUT if self._backlog is None and self._is_writable() else mask

    def _is_writable(self) -> bool:
        """Return whether three quarters of the send buffer are free, which is when Linux says so."""
        return self.unsent() * 4 <= self.options.send_buffer

    def unread(self) -> int:
        """Return the number of bytes of all that was not read."""
        if self._backlog is not None:
            raise failure(errno.EINVAL)
        return self._inbox.size()

    def unsent(self) -> int:
        """Return the memory that data takes which the peer has not read."""
        return 0 if self._peer is None else self._peer.weight
