"""Probes: IPv6, and sockets of both families."""

from __future__ import annotations

import socket
from typing import Any

from tests.simulation.network.probes import probe
from tests.simulation.network.worlds import End, World


def listener_on_all(world: World, *, v6_only: int) -> End:
    made = world.tcp(socket.AF_INET6)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6_only)
    made.bind(("::", 0))
    made.listen(5)
    return made


@probe
def connections_over_ipv6_and_to_a_mapped_address(world: World) -> list[Any]:
    listener = world.listener(host="::1")
    client, server = world.connected(listener)
    results = [
        client.getpeername() == listener.address,
        server.getpeername() == client.getsockname(),
        client.getsockname()[0],
        len(client.getsockname()),
        client.send(b"x"),
        server.until("IN"),
        server.recv(1),
    ]

    listener = world.listener()
    client = world.tcp(socket.AF_INET6)

    return [
        *results,
        client.connect(("::ffff:127.0.0.1", listener.port)),
        client.until("OUT"),
        client.getpeername()[0],
        client.getsockname()[0],
        listener.until("IN"),
        listener.accept().getpeername()[0],
    ]


@probe
def a_socket_of_both_families(world: World) -> list[Any]:
    listener = listener_on_all(world, v6_only=0)
    client = world.tcp()
    client.connect(("127.0.0.1", listener.port))
    listener.until("IN")
    server = listener.accept()

    return [
        client.until("OUT"),
        client.getpeername()[0],
        server.getpeername()[0],
        server.getsockname()[0],
        listener.getsockname()[0],
    ]


@probe
def sockets_of_one_family_beside_the_other(world: World) -> list[Any]:
    listener = listener_on_all(world, v6_only=1)
    client, beside = world.tcp(), world.tcp()
    client.connect(("127.0.0.1", listener.port))
    results = [client.until("ERR"), client.recv(1), beside.bind(("127.0.0.77", listener.port))]

    listener = listener_on_all(world, v6_only=0)
    beside, other = world.tcp(), world.tcp(socket.AF_INET6)

    return [*results, beside.bind(("127.0.0.1", listener.port)), other.bind(("::1", listener.port))]


@probe
def addresses_of_the_other_family(world: World) -> list[Any]:
    return [
        world.tcp().connect(("::1", 9)),
        world.tcp(socket.AF_INET6).connect(("127.0.0.1", 9)),
        world.tcp(socket.AF_INET6).bind(("::1", 0, 0, 0, 0)),
        world.udp(socket.AF_INET6).getsockname(),
    ]


@probe
def datagrams_over_ipv6_and_of_both_families(world: World) -> list[Any]:
    server, client = world.udp(socket.AF_INET6), world.udp()
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(("::", 0))

    return [
        client.sendto(b"four", 0, ("127.0.0.1", server.port)),
        server.until("IN"),
        server.recvfrom(10)[1][0],
        world.udp(socket.AF_INET6).sendto(b"six", 0, ("::1", server.port)),
        server.until("IN"),
        server.recvfrom(10)[1][0],
    ]
