"""Probes: Unix datagrams."""

from __future__ import annotations

import socket
from typing import Any

from tests.simulation.network.probes import probe
from tests.simulation.network.worlds import End, World


def bound(world: World, name: str) -> End:
    made = world.unix_datagram()
    made.raw.bind(world.path(name))
    return made


@probe
def a_unix_datagram_and_its_answer(world: World) -> list[Any]:
    server, client, nameless = bound(world, "server"), bound(world, "client"), world.unix_datagram()

    return [
        client.events(),
        client.sendto(b"ping", 0, server.address),
        server.until("IN"),
        server.recvfrom(10) == (b"ping", world.path("client")),
        server.sendto(b"pong", 0, world.path("client")),
        client.recvfrom(10) == (b"pong", world.path("server")),
        nameless.sendto(b"?", 0, server.address),
        server.recvfrom(10),
        nameless.send(b"x"),
        nameless.recv(1),
    ]


@probe
def a_unix_datagram_for_a_closed_socket(world: World) -> list[Any]:
    server, client = bound(world, "server"), world.unix_datagram()
    client.connect(server.address)
    server.close()

    return [
        client.events(),
        client.send(b"x"),
        client.send(b"x"),
        client.sendto(b"x", 0, world.path("server")),
        client.connect(world.path("server")),
    ]


@probe
def a_connected_unix_datagram_socket_takes_its_peer_only(world: World) -> list[Any]:
    server, client, other = bound(world, "server"), bound(world, "client"), world.unix_datagram()

    return [
        client.connect(server.address),
        client.getpeername() == server.address,
        other.sendto(b"x", 0, client.address),
        other.connect(client.address),
        server.sendto(b"y", 0, client.address),
        client.recv(10),
        server.getpeername(),
    ]


@probe
def unix_datagrams_keep_their_borders(world: World) -> list[Any]:
    first, second = world.unix_pair(socket.SOCK_DGRAM)
    for data in (b"abc", b"", b"0123456789"):
        first.send(data)
    buffer = bytearray(4)

    return [
        second.unread(),
        second.recv(10, socket.MSG_PEEK),
        second.recv(10),
        second.recv(10),
        second.recv_into(buffer, 4, socket.MSG_TRUNC),
        bytes(buffer),
        second.recv(10),
    ]


@probe
def a_full_queue_of_unix_datagrams(world: World) -> list[Any]:
    server, client = bound(world, "server"), world.unix_datagram()
    client.connect(server.address)
    sent = [client.send(b"x") for _ in range(12)]

    return [sent, client.events(), server.recv(1), client.until("OUT"), client.send(b"x")]


@probe
def a_pair_of_unix_datagram_sockets(world: World) -> list[Any]:
    first, second = world.unix_pair(socket.SOCK_DGRAM)
    first.send(b"x")

    return [
        second.recvfrom(10),
        first.getpeername(),
        [first.send(b"x") for _ in range(20)] == [1] * 20,
        first.close(),
        second.events(),
        second.send(b"y"),
        len([data for data in iter(lambda: second.recv(9), "EAGAIN") if data == b"x"]),
    ]


@probe
def shutting_a_unix_datagram_socket_down(world: World) -> list[Any]:
    server, client = bound(world, "server"), world.unix_datagram()

    return [
        client.shutdown(socket.SHUT_WR),
        client.sendto(b"x", 0, server.address),
        server.shutdown(socket.SHUT_RD),
        server.events(),
        world.unix_datagram().sendto(b"x", 0, server.address),
        server.shutdown(socket.SHUT_WR),
        server.events(),
    ]


@probe
def unix_datagrams_that_cannot_be_sent(world: World) -> list[Any]:
    new = world.unix_datagram()
    results = [new.listen(1), new.accept(), new.sendto(b"x", socket.MSG_OOB, world.path("none"))]

    first, second = world.unix_pair(socket.SOCK_DGRAM)
    first.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000)

    return [*results, first.send(bytes(20_000)), first.send(bytes(19_000)), len(second.recv(30_000))]
