"""UDP sockets (udp(7))."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from windsock.net.callbacks import nothing
from windsock.net.system import socket
from windsock.simulation.network.addresses import ANY, BROADCAST, IPEndpoint, is_any, shown
from windsock.simulation.network.datagram_queue import DatagramQueue, ReceivedDatagram
from windsock.simulation.network.failure import failure
from windsock.simulation.network.halves import BOTH, RECEIVING, SENDING, halves_of
from windsock.simulation.network.message_flags import OOB
from windsock.simulation.network.poll_events import ERR, HUP, IN, OUT, RDHUP
from windsock.simulation.network.ports import PortClaim
from windsock.simulation.network.simulated_socket import Message, SimulatedSocket

if TYPE_CHECKING:
    from windsock.simulation.network.host_ports import DatagramReceiver
    from windsock.simulation.network.links.route import HostRoute
    from windsock.simulation.network.socket_host import SocketHost

__all__ = ["UDPSocket"]

LARGEST: dict[int, int] = {socket.AF_INET: 65_507, socket.AF_INET6: 65_527}
"""The most bytes of data of a datagram."""


class UDPSocket(SimulatedSocket):
    """A UDP socket. A connected one receives from its peer only, and is told that nothing receives there."""

    def __init__(self, host: SocketHost, family: int) -> None:
        super().__init__(family, socket.SOCK_DGRAM, socket.IPPROTO_UDP)
        self._host = host
        self._claim: PortClaim[DatagramReceiver] | None = None
        self._peer: IPEndpoint | None = None
        self._bound_ip = ANY[self.family]
        self._queue = DatagramQueue()
        self._error = 0
        self._shut = 0

    # --- addresses

    def bind(self, address: Any) -> None:
        """Take a local address. Raises OSError: EADDRINUSE, EADDRNOTAVAIL, EINVAL if bound already."""
        endpoint = self._host.endpoint(self.family, address, "bind")
        if self._claim is not None:
            raise failure(errno.EINVAL)
        self._claim_port(endpoint)
        self._bound_ip = endpoint.ip

    def _claim_port(self, endpoint: IPEndpoint) -> PortClaim[DatagramReceiver]:
        self._host.check_local(endpoint.ip)
        claim: PortClaim[DatagramReceiver] = PortClaim(self.family, endpoint, self.options, self)
        self._host.ports.udp.add(claim)
        self._claim = claim
        return claim

    def _own_claim(self) -> PortClaim[DatagramReceiver]:
        return self._claim or self._claim_port(IPEndpoint(ANY[self.family], 0))

    def connect(self, address: Any) -> None:
        """Set the peer: the default target, and the only sender that is received from."""
        peer = self._target(self._host.endpoint(self.family, address, "connect"))
        route = self._host.route(peer.ip, self._bound_ip)
        claim = self._own_claim()
        claim.endpoint = claim.endpoint._replace(ip=route.source)
        self._peer = peer

    def disconnect(self) -> None:
        """Have no peer any more. A port that the network has chosen is given back."""
        self._peer = None
        if self._claim is None:
            return
        if self._claim.is_chosen:
            self._claim.endpoint = self._claim.endpoint._replace(ip=self._bound_ip)
        else:
            self._release()

    def _target(self, endpoint: IPEndpoint) -> IPEndpoint:
        """Return the endpoint that an address means: all addresses stand for the loopback one."""
        if endpoint.ip == BROADCAST and not self.options.get(socket.SOL_SOCKET, socket.SO_BROADCAST):
            raise failure(errno.EACCES)
        return endpoint._replace(ip=self._host.loopback(self.family)) if is_any(endpoint.ip) else endpoint

    def getsockname(self) -> Any:
        """Return the local address; zeros if there is none."""
        return shown(self.family, IPEndpoint(ANY[self.family], 0) if self._claim is None else self._claim.endpoint)

    def getpeername(self) -> Any:
        """Return the peer's address."""
        if self._peer is None:
            raise failure(errno.ENOTCONN)
        return shown(self.family, self._peer)

    # --- sending

    def sendmsg(self, buffers: Any, ancillary: Any = (), flags: int = 0, address: Any = None) -> int:  # noqa: ARG002
        """Send a datagram to an address, or to the peer."""
        data = b"".join(buffers)
        if flags & OOB:
            raise failure(errno.EOPNOTSUPP)
        target = self._peer
        if address is not None:
            target = self._target(self._host.endpoint(self.family, address, "sendto"))
        if target is None:
            raise failure(errno.EDESTADDRREQ)
        if not target.port:
            raise failure(errno.EINVAL)
        self._check(data)
        self._send(data, target)
        return len(data)

    def _check(self, data: bytes) -> None:
        if self._error:
            raise failure(self.take_error())
        if self._shut & SENDING:
            raise failure(errno.EPIPE)
        if len(data) > LARGEST[self.family]:
            raise failure(errno.EMSGSIZE)

    def _send(self, data: bytes, target: IPEndpoint) -> None:
        route = self._host.route(target.ip, self._bound_ip)
        sender = IPEndpoint(route.source, self._own_claim().endpoint.port)
        passage = route.passage(sender, target)
        if passage is None:
            self._forward(data, route, sender, target)
            return
        passage.take(
            data,
            lambda data: self._forward(data, route, sender, target),
            lambda number: self._refused(target, number),
        )

    def _forward(self, data: bytes, route: HostRoute, sender: IPEndpoint, target: IPEndpoint) -> None:
        def deliver() -> None:
            receiver = route.ports.receiver(target, sender)
            if receiver is None:
                self._refused(target, errno.ECONNREFUSED)
            else:
                receiver.arrive(data, sender)

        route.carry(len(data), deliver)

    def _refused(self, target: IPEndpoint, number: int) -> None:
        """Take an error that the network reports of a target (ICMP): only a connected socket is told."""
        if self._peer == target and not self.is_closed:
            self._error = number
            self.changed()

    # --- receiving

    def receives_from(self, sender: IPEndpoint) -> bool:
        """Return whether datagrams of a sender are for this socket."""
        return self._peer is None or self._peer == sender

    def arrive(self, data: bytes, sender: IPEndpoint) -> None:
        """Queue a datagram; it is lost if the receive buffer is full."""
        if self._queue.weight < self.options.receive_buffer:
            self._queue.append(ReceivedDatagram(data, shown(self.family, sender), [], nothing))
            self.changed()

    def recvmsg(self, size: int, flags: int = 0) -> Message:
        """Return the next datagram; b"" once the receiving half is shut down and nothing is left."""
        if self._error:
            raise failure(self.take_error())
        if self._queue:
            return self._queue.take(size, flags)
        if self._shut & RECEIVING:
            return b"", [], 0, None
        raise failure(errno.EAGAIN)

    def shutdown(self, how: int) -> None:
        """End halves. Without a peer this raises OSError (ENOTCONN), and works all the same."""
        self._shut |= halves_of(how)
        self.changed()
        if self._peer is None:
            raise failure(errno.ENOTCONN)

    def close(self) -> None:
        """Close the socket, and drop what was not read."""
        self.is_closed = True
        self._queue.clear()
        self._release()
        self.changed()

    def _release(self) -> None:
        claim, self._claim = self._claim, None
        if claim is not None:
            self._host.ports.udp.remove(claim)

    # --- what there is

    def take_error(self) -> int:
        """Return the pending error, and forget it."""
        number, self._error = self._error, 0
        return number

    def events(self) -> int:
        """Return the events that poll(2) reports: a UDP socket can always send."""
        mask = OUT
        if self._queue:
            mask |= IN
        if self._error:
            mask |= ERR
        if self._shut & RECEIVING:
            mask |= IN | RDHUP
        return mask | HUP if self._shut == BOTH else mask

    def unread(self) -> int:
        """Return the size of the next datagram."""
        return self._queue.first_size()

    def unsent(self) -> int:
        """Return 0: what is sent is on its way at once."""
        return 0
