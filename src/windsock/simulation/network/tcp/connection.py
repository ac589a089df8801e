"""One end of a TCP connection: its state, what it has received, what it sends, and what its socket's calls return.

The order of the checks is that of Linux, whose calls return data before an error, and an error only once.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from windsock.net.callbacks import nothing
from windsock.simulation.network.addresses import IPEndpoint
from windsock.simulation.network.failure import failure
from windsock.simulation.network.halves import BOTH, RECEIVING, SENDING
from windsock.simulation.network.links.wire import Wire
from windsock.simulation.network.message_flags import OOB, PEEK
from windsock.simulation.network.poll_events import ERR, HUP, IN, OUT, PRI, RDHUP
from windsock.simulation.network.socket_options import SocketOptions
from windsock.simulation.network.tcp.inbox import StreamInbox
from windsock.simulation.network.tcp.sender import Receiver, Sender
from windsock.simulation.network.tcp.states import TCPState

__all__ = ["TCPConnection"]

RESET_BY = {TCPState.SYN_SENT: errno.ECONNREFUSED, TCPState.CLOSE_WAIT: errno.EPIPE}
"""The error that a reset causes, if it is not ECONNRESET."""
AFTER_SENT_END = {TCPState.ESTABLISHED: TCPState.FIN_WAIT_1, TCPState.CLOSE_WAIT: TCPState.LAST_ACK}
AFTER_END = {TCPState.ESTABLISHED: TCPState.CLOSE_WAIT, TCPState.FIN_WAIT_1: TCPState.CLOSING}
"""The state after the peer's end has arrived; CLOSED if it is not listed."""
AFTER_ACKNOWLEDGED_END = {TCPState.FIN_WAIT_1: TCPState.FIN_WAIT_2}


class TCPConnection:
    """One end of a connection. `on_change` is called after each change, `on_over` when its port becomes free."""

    def __init__(self, options: SocketOptions, local: IPEndpoint, remote: IPEndpoint) -> None:
        self.options = options
        self.local = local
        self.remote = remote
        self.state: TCPState = TCPState.SYN_SENT
        self.shut: int = 0
        """The halves that have ended: RECEIVING, SENDING."""
        self.error: int = 0
        """The errno value that the next call reports; 0 for none."""
        self.inbox: StreamInbox = StreamInbox()
        self.on_change: Callable[[], object] = nothing
        self.on_over: Callable[[], object] = nothing
        self._has_end = False
        self._sender: Sender | None = None
        self._on_room: Callable[[], object] = nothing

    def establish(self, wire: Wire, peer: Receiver) -> None:
        """Connect this end to the other one, or to what is between them."""
        self._sender = Sender(wire, peer, self._on_progress, self._on_acknowledged_end)
        peer.feed_by(self._sender.pump)
        self.state = TCPState.ESTABLISHED
        self.on_change()

    def feed_by(self, on_room: Callable[[], object]) -> None:
        """Set the function to call when there is more room for received bytes."""
        self._on_room = on_room

    # --- calls of the socket

    def send(self, data: bytes | memoryview, *, is_urgent: bool = False) -> int:
        """Send as many bytes as fit into the send buffer; return their number."""
        if self.error or self.shut & SENDING or self.state is TCPState.CLOSED:
            raise self.take_error() or failure(errno.EPIPE)
        sender = self._sender
        if sender is None:
            raise failure(errno.EAGAIN)
        room = self.options.send_buffer - sender.unsent
        if room <= 0 and data:
            raise failure(errno.EAGAIN)
        if len(data) > room:
            data = data[:room]
        sender.write(bytes(data), is_urgent=is_urgent and bool(data))
        return len(data)

    def receive(self, size: int, flags: int) -> bytes:
        """Return received bytes, b"" at the end of the stream."""
        is_peeking = bool(flags & PEEK)
        if flags & OOB:
            return self._receive_urgent(is_peeking)
        data = self.inbox.take(size, is_peeking=is_peeking, is_inline=self.options.is_inline)
        if data:
            if not is_peeking:
                self._on_room()
            return data
        if self._has_end:
            return b""
        if self.error:
            raise failure(self._pop_error())
        if self.shut & RECEIVING:
            return b""
        raise failure(errno.ENOTCONN if self.state is TCPState.CLOSED else errno.EAGAIN)

    def _receive_urgent(self, is_peeking: bool) -> bytes:
        if self.options.is_inline or not self.inbox.has_urgent:
            raise failure(errno.EINVAL)
        if self.state is TCPState.CLOSED and not self._has_end:
            raise failure(errno.ENOTCONN)
        return self.inbox.take_urgent(is_peeking=is_peeking) or b""

    def shut_down(self, halves: int) -> None:
        """End halves of the connection. What is received after the end of the receiving half can still be read."""
        if self.state is TCPState.CLOSED:
            raise failure(errno.ENOTCONN)
        self.shut |= halves
        if halves & SENDING:
            self._end()
        self.on_change()

    def _end(self) -> None:
        if self.state in AFTER_SENT_END and self._sender is not None:
            self.state = AFTER_SENT_END[self.state]
            self._sender.end()

    def close(self) -> None:
        """Close the socket: with a reset if bytes were not read or it does not linger, else with the end."""
        self.on_change = nothing
        self.shut = BOTH
        if self.state is TCPState.CLOSED:
            return
        if self.inbox.bytes.size or self.options.linger == (1, 0) or self._sender is None:
            self.abort()
        else:
            self._end()

    def abort(self) -> None:
        """Reset the connection."""
        sender = self._sender
        self._over()
        if sender is not None:
            sender.reset()

    def take_error(self) -> OSError | None:
        """Return the pending error and forget it (SO_ERROR)."""
        number = self._pop_error()
        return failure(number) if number else None

    def _pop_error(self) -> int:
        number, self.error = self.error, 0
        return number

    @property
    def unsent(self) -> int:
        """The number of sent bytes that have not arrived at the other end."""
        return 0 if self._sender is None else self._sender.unsent

    def events(self) -> int:
        """Return the events that poll(2) reports."""
        shut = self.shut
        mask = ERR if self.error else 0
        if shut == BOTH or self.state is TCPState.CLOSED:
            mask |= HUP
        if shut & RECEIVING:
            mask |= IN | RDHUP
        if self.state is TCPState.SYN_SENT:
            return mask
        if self.inbox.readable(is_inline=self.options.is_inline):
            mask |= IN
        if shut & SENDING or self._is_writable():
            mask |= OUT
        if self.inbox.has_urgent:
            mask |= PRI
        return mask

    def _is_writable(self) -> bool:
        """Return whether a third of the send buffer is free, which is when Linux says so."""
        return self.options.send_buffer - self.unsent >= self.unsent // 2

    # --- arrivals from the other end

    def room(self) -> int:
        """Return how many bytes fit into the receive buffer."""
        return self.options.receive_buffer - self.inbox.bytes.size

    def arrive(self, data: bytes, *, is_urgent: bool) -> None:
        """Take data; answer with a reset if the socket has ended both halves."""
        if self.state is TCPState.CLOSED:
            if self._sender is not None:
                self._sender.reset()
            return
        if self.shut == BOTH:
            self._fail(errno.ECONNRESET)
            return
        self.inbox.append(data, is_urgent=is_urgent, is_inline=self.options.is_inline)
        self.on_change()

    def arrive_end(self) -> None:
        """Take the end of the peer's stream."""
        if self.state is TCPState.CLOSED:
            return
        self._has_end = True
        self.shut |= RECEIVING
        self._move(AFTER_END)

    def arrive_reset(self) -> None:
        """Take a reset of the peer."""
        if self.state is not TCPState.CLOSED:
            self.error = RESET_BY.get(self.state, errno.ECONNRESET)
            self._over()

    def fail(self, number: int) -> None:
        """End a connection that could not be established, with an errno value."""
        self.error = number
        self._over()

    def _fail(self, number: int) -> None:
        self.error = number
        self.abort()

    def _on_progress(self) -> None:
        self.on_change()

    def _on_acknowledged_end(self) -> None:
        if self.state is not TCPState.CLOSED:
            self._move(AFTER_ACKNOWLEDGED_END)

    def _move(self, table: dict[TCPState, TCPState]) -> None:
        self.state = table.get(self.state, TCPState.CLOSED)
        if self.state is TCPState.CLOSED:
            self._over()
        else:
            self.on_change()

    def _over(self) -> None:
        self.state = TCPState.CLOSED
        self.shut = BOTH
        if self._sender is not None:
            self._sender.drop()
        self.on_over()
        self.on_change()
