"""Probes whose results differ on purpose: docs/simulation-parity.md gives the reason for each."""

from __future__ import annotations

import socket
from typing import Any

from tests.simulation.network.probes import Probe
from tests.simulation.network.worlds import World


def datagrams_after_shut_rd(world: World) -> Any:
    first, _second = world.unix_pair(socket.SOCK_DGRAM)
    first.shutdown(socket.SHUT_RD)
    return first.recv(1)


def accept_after_shutdown(world: World) -> Any:
    listener = world.unix_listener()
    listener.shutdown(socket.SHUT_RDWR)
    return listener.accept()


def port_of_closed_connections(world: World) -> Any:
    listener = world.listener()
    client, server = world.connected(listener)
    address = listener.address
    server.shutdown(socket.SHUT_WR)
    client.until("RDHUP")
    client.shutdown(socket.SHUT_WR)
    server.until("HUP")
    for each in (listener, client, server):
        each.close()
    return world.tcp().bind(address)


def unix_urgent_byte_was_taken(world: World) -> Any:
    first, second = world.unix_pair()
    first.send(b"x", socket.MSG_OOB)
    second.recv(1, socket.MSG_OOB)
    return second.events(), second.recv(1)


def connection_to_itself(world: World) -> Any:
    new = world.tcp()
    new.bind(("127.0.0.1", 0))
    new.connect(new.address)
    return "ERR" in new.until("OUT")


def send_buffer_of_a_new_socket(world: World) -> Any:
    return world.tcp().getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) > 1_000_000


def size_of_what_a_unix_socket_has_sent(world: World) -> Any:
    first, _second = world.unix_pair()
    first.send(b"12345")
    return first.unsent() == 5


def short_forms_of_addresses(world: World) -> Any:
    return world.tcp().bind(("127.1", 0))


DIFFERENCES: dict[Probe, tuple[Any, Any]] = {
    datagrams_after_shut_rd: ("EAGAIN", b""),
    accept_after_shutdown: ("EAGAIN", "EINVAL"),
    port_of_closed_connections: ("EADDRINUSE", None),
    unix_urgent_byte_was_taken: (("IN|OUT", "EAGAIN"), ("OUT", "EAGAIN")),
    connection_to_itself: (False, True),
    send_buffer_of_a_new_socket: (False, True),
    size_of_what_a_unix_socket_has_sent: (False, True),
    short_forms_of_addresses: (None, "gaierror"),
}
"""What the kernel returns, and what the network does."""
