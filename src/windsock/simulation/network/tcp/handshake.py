"""The handshake of a TCP connection: it is repeated while the listener's queue is full, and fails at last."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING

from windsock.simulation.network.links.link import LinkDirection
from windsock.simulation.network.links.wire import Wire
from windsock.simulation.network.tcp.connection import TCPConnection
from windsock.simulation.network.tcp.listener import TCPListener
from windsock.simulation.network.tcp.states import TCPState

if TYPE_CHECKING:
    from windsock.simulation.network.host_ports import HostPorts
    from windsock.simulation.network.links.link import Link
    from windsock.simulation.network.timers import Timers

__all__ = ["Handshake"]

REPEATS = (1, 2, 3, 4, 5, 7, 11, 19, 35, 67)
"""Seconds after the first attempt at which it is repeated (tcp_syn_linear_timeouts=4, tcp_syn_retries=6)."""
GIVE_UP = 131
"""Seconds after which the connection fails with ETIMEDOUT."""
AT_ONCE = LinkDirection()
"""The way to a middlebox, which takes no time."""


class Handshake:
    """Connects one socket to a port of a host, at once if nothing takes time and the queue has room."""

    def __init__(
        self, connection: TCPConnection, ports: HostPorts, wires: tuple[Wire, Wire], link: Link, timers: Timers
    ) -> None:
        self._connection = connection
        self._ports = ports
        self._there, self._back = wires
        self._link = link
        self._timers = timers

    def start(self) -> None:
        """Send the first SYN."""
        self._attempt(self._timers.now(), iter((*REPEATS, GIVE_UP)))

    def _is_pending(self) -> bool:
        return self._connection.state is TCPState.SYN_SENT

    def _attempt(self, began: float, repeats: Iterator[int]) -> None:
        """Send a SYN, and plan the next one, unless it is answered by then."""
        self._there.carry(0, self._arrive)
        if self._is_pending():
            seconds = next(repeats)
            again = self._give_up if seconds == GIVE_UP else lambda: self._attempt(began, repeats)
            self._timers.call_at(began + seconds, lambda: self._is_pending() and again())

    def _give_up(self) -> None:
        self._connection.fail(errno.ETIMEDOUT)

    def _arrive(self) -> None:
        if not self._is_pending():
            return
        listener = self._ports.listener(self._connection.remote)
        if listener is None:
            self._back.carry(0, self._connection.arrive_reset)
        elif not listener.is_full():
            child = self._ports.embryo(listener, self._connection)
            self._back.carry(0, lambda: self._answered(listener, child))

    def _answered(self, listener: TCPListener, child: TCPConnection) -> None:
        if not self._is_pending():
            child.abort()
            return
        self._join(child)
        self._there.carry(0, lambda: listener.add(child))

    def _join(self, child: TCPConnection) -> None:
        client = self._connection
        box = self._link.middlebox(client.local)
        if box is None:
            child.establish(self._back, client)
            client.establish(self._there, child)
            return
        box.up.join(client, child, self._there)
        box.down.join(child, client, self._back)
        child.establish(Wire(self._timers, AT_ONCE), box.down)
        client.establish(Wire(self._timers, AT_ONCE), box.up)
        box.start()
