"""Probes: UDP."""

from __future__ import annotations

import socket
from typing import Any

from tests.simulation.network.probes import probe
from tests.simulation.network.worlds import World


@probe
def a_datagram_and_its_answer(world: World) -> list[Any]:
    server, client = world.bound_udp(), world.udp()

    return [
        client.getsockname(),
        client.sendto(b"ping", 0, server.address),
        client.getsockname()[0],
        client.port > 0,
        server.until("IN"),
        server.recvfrom(10) == (b"ping", ("127.0.0.1", client.port)),
        server.sendto(b"pong", 0, ("127.0.0.1", client.port)),
        client.until("IN"),
        client.recvfrom(10) == (b"pong", server.address),
        client.recv(1),
    ]


@probe
def datagrams_keep_their_borders_and_can_be_peeked_at(world: World) -> list[Any]:
    server, client = world.bound_udp(), world.udp()
    for data in (b"abc", b"", b"de"):
        client.sendto(data, 0, server.address)
    server.until("IN")
    results = [server.unread(), server.recv(10), server.unread(), server.recv(10), server.events(), server.recv(10)]

    server, client = world.bound_udp(), world.udp()
    client.sendto(b"hello", 0, server.address)
    server.until("IN")

    return [*results, server.recv(3, socket.MSG_PEEK), server.unread(), server.recv(10), server.events()]


@probe
def a_datagram_that_is_longer_than_the_buffer(world: World) -> list[Any]:
    server, client = world.bound_udp(), world.udp()
    for _ in range(4):
        client.sendto(b"0123456789", 0, server.address)
    server.until("IN")
    buffer = bytearray(4)

    return [
        server.recvmsg(4)[:3],
        server.recv(4),
        server.recv_into(buffer, 4, socket.MSG_TRUNC),
        bytes(buffer),
        server.recvmsg(10)[:3],
    ]


@probe
def a_datagram_too_large(world: World) -> list[Any]:
    server, client = world.bound_udp(), world.udp()
    results = [
        client.sendto(bytes(65_508), 0, server.address),
        client.sendto(bytes(65_507), 0, server.address),
        server.until("IN"),
        len(server.recv(70_000)),
    ]

    server, client = world.bound_udp(socket.AF_INET6), world.udp(socket.AF_INET6)

    return [*results, client.sendto(bytes(65_528), 0, server.address), client.sendto(bytes(65_527), 0, server.address)]


@probe
def targets_that_cannot_be_sent_to(world: World) -> list[Any]:
    new = world.udp()
    results = [
        new.send(b"x"),
        new.recv(1),
        new.sendto(b"x", 0, ("127.0.0.1", 0)),
        new.sendto(b"x", 0, "127.0.0.1"),
        new.sendto(b"x", 0, ("127.0.0.1", 70_000)),
        new.getpeername(),
    ]

    new = world.udp()

    return [*results, new.sendto(b"x", 0, ("255.255.255.255", 9)), new.connect(("255.255.255.255", 9))]


@probe
def sending_where_nothing_receives_is_not_told_without_a_connection(world: World) -> list[Any]:
    client, address = world.udp(), world.deaf_udp().address

    return [client.sendto(b"x", 0, address), client.sendto(b"x", 0, address), client.events(), client.recv(1)]


@probe
def sending_where_nothing_receives_on_a_connected_socket(world: World) -> list[Any]:
    client = world.udp()
    client.connect(world.deaf_udp().address)

    return [
        client.send(b"x"),
        client.until("ERR"),
        client.send(b"x"),
        client.send(b"x"),
        client.until("ERR"),
        client.recv(1),
        client.recv(1),
        client.send(b"x"),
        client.until("ERR"),
        client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
        client.events(),
    ]


@probe
def the_names_of_a_connected_datagram_socket(world: World) -> list[Any]:
    server, client = world.bound_udp(), world.udp()

    return [
        client.connect(server.address),
        client.getsockname()[0],
        client.getpeername() == server.address,
        client.connect(server.address),
        client.bind(("127.0.0.1", 0)),
    ]


@probe
def a_connected_datagram_socket_hears_its_peer_and_sends_to_all(world: World) -> list[Any]:
    server, client, other = world.bound_udp(), world.udp(), world.udp()
    client.connect(server.address)
    target = client.address
    results = [
        other.sendto(b"intruder", 0, target),
        server.sendto(b"peer", 0, target),
        client.until("IN"),
        client.recv(10),
        client.recv(10),
    ]

    server, other, client = world.bound_udp(), world.bound_udp(), world.udp()
    client.connect(server.address)

    return [
        *results,
        client.sendto(b"x", 0, other.address),
        other.until("IN"),
        other.recv(1),
        client.send(b"y"),
        server.until("IN"),
    ]


@probe
def bind_datagram_sockets_twice(world: World) -> list[Any]:
    first, second = world.bound_udp(), world.udp()

    return [
        first.bind(("127.0.0.1", 0)),
        second.bind(first.address),
        second.bind(("127.0.0.2", first.port)),
        world.udp().bind(("", first.port)),
    ]


@probe
def datagram_sockets_share_a_port(world: World) -> list[Any]:
    first, second, client = world.udp(), world.udp(), world.udp()
    for each in (first, second):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    first.bind(("127.0.0.1", 0))
    results = [
        second.bind(first.address),
        client.sendto(b"x", 0, first.address),
        second.until("IN"),
        second.recv(1),
        first.events(),
    ]

    everywhere, here, client = world.udp(), world.udp(), world.udp()
    for each in (everywhere, here):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    here.bind(("127.0.0.1", 0))
    everywhere.bind(("", here.port))

    return [
        *results,
        client.sendto(b"here", 0, here.address),
        here.until("IN"),
        everywhere.events(),
        client.sendto(b"there", 0, ("127.0.0.2", here.port)),
        everywhere.until("IN"),
        everywhere.recvfrom(10) == (b"there", ("127.0.0.1", client.port)),
    ]


@probe
def what_a_datagram_socket_has_and_has_not(world: World) -> list[Any]:
    new = world.udp()
    results = [new.listen(1), new.accept(), new.sendto(b"x", socket.MSG_OOB, ("127.0.0.1", 9)), new.at_mark()]

    new = world.udp()
    names = ("TYPE", "DOMAIN", "PROTOCOL", "BROADCAST", "REUSEADDR", "SNDBUF", "RCVBUF")
    found = [new.getsockopt(socket.SOL_SOCKET, getattr(socket, f"SO_{name}")) for name in names]

    return [*results, *found, new.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)]


@probe
def shutting_a_datagram_socket_down(world: World) -> list[Any]:
    server, client = world.bound_udp(), world.udp()
    client.connect(server.address)

    return [
        world.udp().shutdown(socket.SHUT_RDWR),
        client.shutdown(socket.SHUT_WR),
        client.send(b"x"),
        client.events(),
        client.shutdown(socket.SHUT_RD),
        client.events(),
        client.shutdown(7),
    ]


@probe
def a_full_receive_buffer_loses_datagrams(world: World) -> list[Any]:
    server, client = world.bound_udp(), world.udp()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    sent = [client.sendto(bytes(1000), 0, server.address) for _ in range(30)]
    server.until("IN")
    received = server.read_all() // 1000

    return [set(sent), 0 < received < 30]
