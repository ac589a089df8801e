"""Probes: connected Unix sockets."""

from __future__ import annotations

import socket
from typing import Any

from tests.simulation.network.probes import probe
from tests.simulation.network.worlds import End, World


def unix_connected(world: World) -> tuple[End, End]:
    listener, client = world.unix_listener(), world.unix()
    client.connect(listener.address)
    return client, listener.accept()


@probe
def a_unix_pair(world: World) -> list[Any]:
    first, second = world.unix_pair()

    return [
        first.events(),
        first.getsockname(),
        first.getpeername(),
        first.send(b"hello"),
        second.until("IN"),
        second.unread(),
        second.recv(2, socket.MSG_PEEK),
        second.recv(2),
        second.recvfrom(10),
        second.recv(1),
        first.sendto(b"x", 0, world.path("x")),
    ]


@probe
def half_close_of_a_unix_pair(world: World) -> list[Any]:
    first, second = world.unix_pair()

    return [
        first.send(b"bye"),
        first.shutdown(socket.SHUT_WR),
        first.events(),
        first.send(b"x"),
        second.events(),
        second.recv(10),
        second.recv(10),
        second.send(b"answer"),
        first.recv(10),
        second.shutdown(socket.SHUT_WR),
        first.events(),
        second.events(),
        first.getpeername(),
        first.shutdown(socket.SHUT_RDWR),
    ]


@probe
def shutting_down_reading_breaks_the_writer(world: World) -> list[Any]:
    first, second = world.unix_pair()
    first.send(b"early")

    return [
        second.shutdown(socket.SHUT_RD),
        second.events(),
        first.events(),
        first.send(b"x"),
        second.recv(10),
        second.recv(10),
    ]


@probe
def write_after_a_unix_peer_has_closed(world: World) -> list[Any]:
    first, second = world.unix_pair()
    first.send(b"last words")
    first.close()

    return [
        second.events(),
        second.send(b"x"),
        second.recv(20),
        second.recv(20),
        second.getpeername(),
        second.events(),
        second.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
    ]


@probe
def a_unix_close_with_unread_bytes_resets(world: World) -> list[Any]:
    first, second = world.unix_pair()
    first.send(b"unread")
    second.send(b"answer")
    second.close()
    results = [first.events(), first.send(b"x"), first.recv(10), first.recv(10), first.recv(10), first.events()]

    first, second = world.unix_pair()
    first.send(b"unread")
    second.close()

    return [
        *results,
        first.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
        first.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
        first.recv(1),
    ]


@probe
def a_full_unix_buffer(world: World) -> list[Any]:
    first, second = world.unix_pair()
    sent = first.fill(65536)
    before = (sent > 0, first.send(b"x"), first.events())
    received = second.read_all()

    return [before, received == sent, first.events(), first.send(b"x")]


@probe
def options_of_a_unix_socket(world: World) -> list[Any]:
    client, server = unix_connected(world)
    names = ("TYPE", "DOMAIN", "PROTOCOL", "SNDBUF", "RCVBUF", "PASSCRED")
    found = [client.getsockopt(socket.SOL_SOCKET, getattr(socket, f"SO_{name}")) for name in names]

    return [
        *found,
        server.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12),
        world.unix().getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12),
        client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
    ]


@probe
def a_pair_that_keeps_records(world: World) -> list[Any]:
    first, second = world.unix_pair(socket.SOCK_SEQPACKET)
    for data in (b"abc", b"0123456789", b"de"):
        first.send(data)

    return [
        second.recvmsg(10)[0],
        second.recvmsg(4)[0::2],
        second.recv(10),
        second.recv(10),
        second.send(b"unread"),
        first.close(),
        second.events(),
        second.recv(10),
        second.recv(10),
        second.send(b"x"),
    ]
