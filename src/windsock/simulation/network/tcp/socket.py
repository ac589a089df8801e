"""TCP sockets: bind, listen, connect, accept, and the calls of a connection."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from windsock.net.system import socket
from windsock.simulation.network.addresses import ANY, IPEndpoint, is_any, shown
from windsock.simulation.network.failure import failure
from windsock.simulation.network.halves import RECEIVING, halves_of
from windsock.simulation.network.message_flags import OOB
from windsock.simulation.network.poll_events import HUP, IN, OUT
from windsock.simulation.network.ports import PortClaim
from windsock.simulation.network.simulated_socket import Message, SimulatedSocket
from windsock.simulation.network.tcp.connection import TCPConnection
from windsock.simulation.network.tcp.listener import TCPListener
from windsock.simulation.network.tcp.states import TCPState

if TYPE_CHECKING:
    from windsock.simulation.network.socket_host import SocketHost

__all__ = ["TCPSocket"]


class TCPSocket(SimulatedSocket):
    """A TCP socket. An accepted one has its connection from the start."""

    def __init__(self, host: SocketHost, family: int, connection: TCPConnection | None = None) -> None:
        options = None if connection is None else connection.options
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, options)
        self._host = host
        self._connection = connection
        self._listener: TCPListener | None = None
        self._claim: PortClaim[TCPListener | None] | None = None
        self._name = IPEndpoint(ANY[family], 0)
        """The local address; Linux shows it for a port that is given back too."""
        self._is_connecting = False
        if connection is not None:
            connection.on_change = self.changed

    # --- addresses

    def bind(self, address: Any) -> None:
        """Take a local address. Raises OSError: EADDRINUSE, EADDRNOTAVAIL, EINVAL if bound already."""
        endpoint = self._host.endpoint(self.family, address, "bind")
        if self._claim is not None or self._connection is not None:
            raise failure(errno.EINVAL)
        self._claim_port(endpoint)

    def _claim_port(self, endpoint: IPEndpoint) -> None:
        self._host.check_local(endpoint.ip)
        claim: PortClaim[TCPListener | None] = PortClaim(self.family, endpoint, self.options, None)
        self._host.ports.tcp.add(claim)
        self._claim = claim
        self._name = claim.endpoint

    def getsockname(self) -> Any:
        """Return the local address; zeros if there is none."""
        return shown(self.family, self._name if self._connection is None else self._connection.local)

    def getpeername(self) -> Any:
        """Return the peer's address, as long as there is a connection."""
        connection = self._connection
        if connection is None or connection.state in (TCPState.CLOSED, TCPState.SYN_SENT):
            raise failure(errno.ENOTCONN)
        return shown(self.family, connection.remote)

    # --- listening

    def is_listening(self) -> bool:
        """Return whether the socket accepts connections."""
        return self._listener is not None

    def listen(self, backlog: int = 128) -> None:
        """Accept connections from now on; choose a port if there is none."""
        if self._connection is not None:
            raise failure(errno.EINVAL)
        if self._listener is not None:
            self._listener.backlog = max(0, backlog)
            return
        if self._claim is None:
            self._claim_port(IPEndpoint(ANY[self.family], 0))
        assert self._claim is not None
        if self._host.ports.tcp.is_taken(self._claim):
            raise failure(errno.EADDRINUSE)
        self._claim.is_shareable = False
        self._claim.owner = self._listener = TCPListener(self.options, max(0, backlog), self.changed)
        self.changed()

    def accept(self) -> tuple[SimulatedSocket, Any]:
        """Return the socket of the next connection and its peer's address."""
        if self._listener is None:
            raise failure(errno.EINVAL)
        connection = self._listener.take()
        if connection is None:
            raise failure(errno.EAGAIN)
        accepted = TCPSocket(self._host, self.family, connection)
        self.changed()
        return accepted, shown(self.family, connection.remote)

    # --- connecting

    def connect(self, address: Any) -> None:
        """Begin to connect (EINPROGRESS), or return the result of having begun."""
        remote = self._host.endpoint(self.family, address, "connect")
        if self._is_connecting:
            self._finish_connecting()
            return
        if self._connection is not None or self._listener is not None:
            raise failure(errno.EISCONN)
        self._begin(remote if not is_any(remote.ip) else remote._replace(ip=self._host.loopback(self.family)))
        raise failure(errno.EINPROGRESS)

    def _begin(self, remote: IPEndpoint) -> None:
        bound = IPEndpoint(ANY[self.family], 0) if self._claim is None else self._claim.endpoint
        route = self._host.route(remote.ip, bound.ip)
        if self._claim is None:
            self._claim_port(IPEndpoint(route.source, 0))
        assert self._claim is not None
        local = IPEndpoint(route.source, self._claim.endpoint.port)
        self._connection = connection = TCPConnection(self.options, local, remote)
        connection.on_change = self.changed
        connection.on_over = self._release_chosen
        self._is_connecting = True
        route.handshake(connection).start()
        self.changed()

    def _finish_connecting(self) -> None:
        connection = self._connection
        assert connection is not None
        if connection.state is TCPState.SYN_SENT:
            raise failure(errno.EALREADY)
        self._is_connecting = False
        if connection.state is TCPState.CLOSED:
            error = connection.take_error() or failure(errno.ECONNABORTED)
            self.disconnect()
            raise error

    def disconnect(self) -> None:
        """Dissolve the connection, or stop listening: connect(2) to AF_UNSPEC. A port that was named stays."""
        connection, self._connection = self._connection, None
        self._is_connecting = False
        if connection is not None and connection.state is not TCPState.CLOSED:
            connection.on_change = self.changed
            connection.abort()
        self._stop_listening()
        self._release_chosen()
        self.changed()

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None and self._claim is not None:
            self._claim.owner = None
            self._claim.is_shareable = True
            listener.close()

    def _release_chosen(self) -> None:
        """Give back a port that the network has chosen."""
        if self._claim is not None and not self._claim.is_chosen:
            self._release()

    def _release(self) -> None:
        claim, self._claim = self._claim, None
        if claim is not None:
            self._host.ports.tcp.remove(claim)

    # --- calls of a connection

    def sendmsg(self, buffers: Any, ancillary: Any = (), flags: int = 0, address: Any = None) -> int:  # noqa: ARG002
        """Send bytes of several buffers; TCP ignores the address and the ancillary data."""
        return self.send(b"".join(buffers), flags)

    def send(self, data: Any, flags: int = 0) -> int:
        """Send as many bytes as the send buffer has room for. The last one is urgent with MSG_OOB."""
        if self._connection is None:
            raise failure(errno.EPIPE)
        return self._connection.send(data, is_urgent=bool(flags & OOB))

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return received bytes, b"" at the end of the stream."""
        if self._connection is None:
            raise failure(errno.ENOTCONN)
        return self._connection.receive(size, flags)

    def recvmsg(self, size: int, flags: int = 0) -> Message:
        """Return received bytes; their sender is not told."""
        return self.recv(size, flags), [], flags & OOB, None

    def shutdown(self, how: int) -> None:
        """End halves of the connection. A listener that shuts its receiving half down listens no more."""
        halves = halves_of(how)
        connection = self._connection
        if self._listener is not None or (connection is not None and connection.state is TCPState.SYN_SENT):
            if self._listener is None or halves & RECEIVING:
                self.disconnect()
        elif connection is None:
            raise failure(errno.ENOTCONN)
        else:
            connection.shut_down(halves)

    def close(self) -> None:
        """Close: end the connection, or reset it if bytes were not read or SO_LINGER says 0 seconds."""
        if self.is_closed:
            return
        self.is_closed = True
        self._stop_listening()
        connection, self._connection = self._connection, None
        if connection is None or connection.state is TCPState.CLOSED:
            self._release()
        else:
            connection.on_over = self._release
            connection.close()
        self.changed()

    # --- what there is

    def take_error(self) -> int:
        """Return the pending error, and forget it."""
        error = None if self._connection is None else self._connection.take_error()
        return 0 if error is None else int(error.errno or 0)

    def events(self) -> int:
        """Return the events that poll(2) reports."""
        if self._connection is not None:
            return self._connection.events()
        if self._listener is not None:
            return IN if len(self._listener) else 0
        return OUT | HUP

    def unread(self) -> int:
        """Return the number of bytes that can be read up to an urgent one."""
        if self._listener is not None:
            raise failure(errno.EINVAL)
        return 0 if self._connection is None else self._connection.inbox.before_mark(is_inline=self.options.is_inline)

    def unsent(self) -> int:
        """Return the number of sent bytes that have not arrived."""
        if self._listener is not None:
            raise failure(errno.EINVAL)
        return 0 if self._connection is None else self._connection.unsent

    def is_at_mark(self) -> bool:
        """Return whether the next byte is urgent."""
        return self._connection is not None and self._connection.inbox.is_at_mark()
