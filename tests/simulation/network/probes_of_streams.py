"""Probes: how TCP connections pass data, their buffers and options."""

from __future__ import annotations

import socket
import struct
from typing import Any

from tests.simulation.network.probes import probe
from tests.simulation.network.worlds import World

NO_LINGER = struct.pack("ii", 1, 0)


@probe
def bytes_pass_both_ways(world: World) -> list[Any]:
    client, server = world.pair()

    return [
        client.events(),
        client.recv(10),
        client.send(b"ping"),
        server.until("IN"),
        server.recv(10),
        server.send(b"pong"),
        client.until("IN"),
        client.recv(2),
        client.recv(10),
        client.events(),
    ]


@probe
def a_stream_has_no_messages(world: World) -> list[Any]:
    client, server = world.pair()
    for piece in (b"ab", b"cd", b"ef"):
        client.send(piece)
    client.shutdown(socket.SHUT_WR)
    server.until("RDHUP")

    return [server.recv(3), server.recv(1), server.recv(10), server.recv(10), server.recv(10)]


@probe
def peeking_and_receiving_into_a_buffer(world: World) -> list[Any]:
    client, server = world.pair()
    client.send(b"hello")
    server.until("IN")
    results = [server.recv(3, socket.MSG_PEEK), server.recv(10, socket.MSG_PEEK), server.unread(), server.recv(10)]

    client, server = world.pair()
    client.send(b"hello")
    server.until("IN")
    buffer = bytearray(8)

    return [*results, server.recv_into(buffer, 3), bytes(buffer), server.recv_into(buffer), bytes(buffer)]


@probe
def calls_for_messages_on_a_stream(world: World) -> list[Any]:
    client, server = world.pair()
    client.send(b"hello")
    server.until("IN")
    results = [server.recvfrom(3), server.recvmsg(10)]

    client, server = world.pair()
    results += [client.sendto(b"x", 0, ("127.0.0.1", 9)), server.until("IN"), server.recv(10)]

    client, server = world.pair()

    return [
        *results,
        client.sendmsg([b"ab", b"", bytearray(b"cd")]),
        server.until("IN"),
        server.recv(10),
        client.send(b""),
    ]


@probe
def a_full_buffer_takes_a_part(world: World) -> list[Any]:
    client, _server = world.pair()
    sizes = [client.send(bytes(16_000_000)) for _ in range(2)]
    client.until_not("OUT")
    results = [0 < sizes[0] < 16_000_000, sizes[1] == "EAGAIN" or sizes[1] > 0, client.fill() >= 0, client.events()]

    small, _server = world.pair()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    large, _other = world.pair()

    return [*results, small.fill() < large.fill()]


@probe
def a_full_buffer_is_writable_again_once_it_was_read(world: World) -> list[Any]:
    client, server = world.pair()
    sent = client.fill(65536)
    stuck = client.send(b"x")
    received = 0
    while received < sent:
        server.until("IN")
        received += server.read_all()

    return [sent > 0, stuck, received == sent, client.until("OUT"), client.send(b"x")]


@probe
def the_end_of_a_stream_waits_for_its_data(world: World) -> list[Any]:
    client, server = world.pair()
    sent = client.fill(65536)
    client.close()
    received, ends = 0, []
    while received < sent:
        server.until("IN")
        received += server.read_all()

    server.until("RDHUP")
    ends.append(server.recv(1))
    return [received == sent, ends]


@probe
def sizes_of_what_waits(world: World) -> list[Any]:
    client, server = world.pair()
    client.send(b"hello")
    server.until("IN")
    world.wait(lambda: client.unsent() == 0)
    results = [server.unread(), client.unread(), client.unsent(), server.recv(2), server.unread(), world.tcp().unread()]

    client, server = world.pair()
    client.send(b"hello")
    client.shutdown(socket.SHUT_WR)
    server.until("RDHUP")
    results += [server.unread(), server.recv(10), server.unread(), world.listener().unread()]

    listener = world.listener()

    return [*results, listener.unread(), listener.unsent()]


@probe
def options_of_a_stream(world: World) -> list[Any]:
    new = world.tcp()
    named = [
        (socket.SOL_SOCKET, name)
        for name in ("TYPE", "DOMAIN", "PROTOCOL", "ERROR", "ACCEPTCONN", "REUSEADDR", "KEEPALIVE", "LINGER")
    ]
    tcp = [(socket.IPPROTO_TCP, getattr(socket, name)) for name in ("TCP_NODELAY", "TCP_KEEPIDLE", "TCP_KEEPINTVL")]
    found = [new.getsockopt(level, getattr(socket, f"SO_{name}")) for level, name in named]
    results = [*found, *(new.getsockopt(*each) for each in tcp), world.listener().getsockopt(1, socket.SO_ACCEPTCONN)]

    flags = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.SOL_SOCKET, socket.SO_REUSEADDR)]
    flags.append((socket.IPPROTO_TCP, socket.TCP_NODELAY))
    results += [(new.setsockopt(*each, 7), new.getsockopt(*each)) for each in flags]
    results.append(new.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3)))
    results.append(new.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))

    return results


@probe
def options_that_are_changed_or_refused(world: World) -> list[Any]:
    new = world.tcp()
    results = []
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        for size in (1, 50_000):
            new.setsockopt(socket.SOL_SOCKET, option, size)
            results.append(new.getsockopt(socket.SOL_SOCKET, option))

    return [
        *results,
        new.getsockopt(socket.SOL_SOCKET, 9999),
        new.setsockopt(socket.SOL_SOCKET, 9999, 1),
        new.setsockopt(socket.SOL_SOCKET, socket.SO_TYPE, 1),
        new.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, b"x"),
        new.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 1),
        new.getsockopt(socket.IPPROTO_TCP, 9999),
    ]


@probe
def an_accepted_socket_has_the_options_of_its_listener(world: World) -> list[Any]:
    listener = world.listener(SO_KEEPALIVE=1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    _client, server = world.connected(listener)

    return [
        server.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        server.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
        server.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8),
    ]
