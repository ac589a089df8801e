"""Unix datagram sockets."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from windsock.net.system import socket
from windsock.simulation.network.datagram_queue import OVERHEAD, DatagramQueue, ReceivedDatagram
from windsock.simulation.network.failure import failure
from windsock.simulation.network.halves import BOTH, RECEIVING, SENDING, halves_of
from windsock.simulation.network.message_flags import OOB
from windsock.simulation.network.poll_events import ERR, HUP, IN, OUT, RDHUP
from windsock.simulation.network.simulated_socket import Message
from windsock.simulation.network.unix.socket import UnixSocket

if TYPE_CHECKING:
    from windsock.simulation.network.socket_host import SocketHost

__all__ = ["UnixDatagramSocket"]

MOST_WAITING = 10
"""The number of datagrams beyond which a receiver's queue is full (net.unix.max_dgram_qlen)."""


class UnixDatagramSocket(UnixSocket):
    """A Unix datagram socket. Nothing is lost: a sender has to wait for its receiver."""

    def __init__(self, host: SocketHost) -> None:
        super().__init__(host, socket.SOCK_DGRAM)
        self._peer: UnixDatagramSocket | None = None
        self._queue = DatagramQueue()
        self._in_transit = 0
        """The memory that datagrams of this socket take which were not read."""
        self._waiting: dict[UnixDatagramSocket, None] = {}
        """Senders that found the queue full."""

    def join(self, peer: UnixSocket) -> None:
        """Have a peer from now on."""
        assert isinstance(peer, UnixDatagramSocket)
        self._peer = peer

    def has_peer(self) -> bool:
        """Return whether the socket is connected."""
        return self._peer is not None

    def is_for(self, sender: UnixDatagramSocket) -> bool:
        """Return whether a socket may send here: a connected socket receives from its peer only."""
        return self._peer is None or self._peer is sender

    def connect(self, address: Any) -> None:
        """Set the peer: the default target, and the only sender. Raises OSError: ENOENT, ECONNREFUSED, EPERM."""
        self._set_peer(self._found(address))

    def _set_peer(self, peer: UnixDatagramSocket | None) -> None:
        """Have another peer: what came from the old one is lost, which an old peer that is connected here is told."""
        old, self._peer = self._peer, peer
        if old is not None and old is not peer:
            self._queue.clear()
            old.left_by(self)
        self.changed()

    def left_by(self, peer: UnixDatagramSocket) -> None:
        """Take that a socket, perhaps this one's peer, has another peer now."""
        if self._peer is peer and not self.is_closed:
            self.error = errno.ECONNRESET
            self.changed()

    def _found(self, address: Any) -> UnixDatagramSocket:
        target = self.find(address)
        assert isinstance(target, UnixDatagramSocket)
        if not target.is_for(self):
            raise failure(errno.EPERM)
        return target

    def disconnect(self) -> None:
        """Have no peer any more."""
        self._set_peer(None)

    def getpeername(self) -> Any:
        """Return the name of the peer, "" if it has none."""
        if self._peer is None:
            raise failure(errno.ENOTCONN)
        return self._peer.name

    # --- data

    def sendmsg(self, buffers: Any, ancillary: Any = (), flags: int = 0, address: Any = None) -> int:
        """Send a datagram to a name, or to the peer. Raises OSError (EAGAIN) while the receiver's queue is full."""
        data = b"".join(buffers)
        if flags & OOB:
            raise failure(errno.EOPNOTSUPP)
        if len(data) > self.options.send_buffer - 32:
            raise failure(errno.EMSGSIZE)
        self.raise_error()
        if self.shut & SENDING:
            raise failure(errno.EPIPE)
        target = self._peer if address is None else self._found(address)
        if target is None:
            raise failure(errno.ENOTCONN)
        self._check(target)
        self._send(target, data, list(ancillary))
        return len(data)

    def _check(self, target: UnixDatagramSocket) -> None:
        if target.is_closed:
            self.disconnect()
            raise failure(errno.ECONNREFUSED)
        if target.shut & RECEIVING:
            raise failure(errno.EPIPE)
        if target.is_full_for(self) or self._in_transit >= self.options.send_buffer:
            target.wait_for_room(self)
            raise failure(errno.EAGAIN)

    def _send(self, target: UnixDatagramSocket, data: bytes, ancillary: list[Any]) -> None:
        weight = len(data) + OVERHEAD
        self._in_transit += weight

        def taken() -> None:
            self._in_transit -= weight
            self.changed()

        target.arrive(ReceivedDatagram(data, self.name or None, ancillary, taken))
        self.changed()

    def is_full_for(self, sender: UnixDatagramSocket) -> bool:
        """Return whether a sender has to wait. Two sockets that are connected to each other fill their buffers."""
        return len(self._queue) > MOST_WAITING and self._peer is not sender

    def wait_for_room(self, sender: UnixDatagramSocket) -> None:
        """Call a sender's subscribers when there may be room."""
        self._waiting[sender] = None

    def arrive(self, datagram: ReceivedDatagram) -> None:
        """Queue a datagram."""
        self._queue.append(datagram)
        self.changed()

    def recvmsg(self, size: int, flags: int = 0) -> Message:
        """Return the next datagram; b"" once the receiving half is shut down and nothing is left."""
        self.raise_error()
        if self._queue:
            message = self._queue.take(size, flags)
            self._wake()
            return message
        if self.shut & RECEIVING:
            return b"", [], 0, None
        raise failure(errno.EAGAIN)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            each.changed()

    def shutdown(self, how: int) -> None:
        """End halves of the socket."""
        self.shut |= halves_of(how)
        self._wake()
        self.changed()

    def close(self) -> None:
        """Close the socket, and drop what was not read."""
        self.is_closed = True
        self.host.unix_names.remove(self)
        self._queue.clear()
        self._wake()
        self.changed()

    # --- what there is

    def events(self) -> int:
        """Return the events that poll(2) reports."""
        mask = ERR if self.error else 0
        if self._queue:
            mask |= IN
        if self.shut & RECEIVING:
            mask |= IN | RDHUP
        if self.shut == BOTH:
            mask |= HUP
        return mask | OUT if self._is_writable() else mask

    def _is_writable(self) -> bool:
        if self._peer is not None and self._peer.is_full_for(self):
            self._peer.wait_for_room(self)
            return False
        return self._in_transit * 4 <= self.options.send_buffer

    def unread(self) -> int:
        """Return the size of the next datagram."""
        return self._queue.first_size()

    def unsent(self) -> int:
        """Return the memory that datagrams take which were not read."""
        return self._in_transit
