"""Probes: how TCP connections end: half-closes, resets, errors."""

from __future__ import annotations

import socket
import struct
from typing import Any

from tests.simulation.network.probes import probe
from tests.simulation.network.worlds import End, World

NO_LINGER = struct.pack("ii", 1, 0)


def reset(end: End) -> None:
    """Close with a reset."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    end.close()


@probe
def half_close(world: World) -> list[Any]:
    client, server = world.pair()
    results = [
        client.send(b"bye"),
        client.shutdown(socket.SHUT_WR),
        client.events(),
        client.send(b"x"),
        server.until("RDHUP"),
        server.recv(10),
        server.recv(10),
        server.recv(10),
        server.send(b"answer"),
        client.until("IN"),
        client.recv(10),
        client.recv(10),
    ]

    client, _server = world.pair()

    return [
        *results,
        client.shutdown(socket.SHUT_WR),
        client.shutdown(socket.SHUT_WR),
        client.shutdown(9),
        client.events(),
    ]


@probe
def half_close_by_both_ends_the_connection(world: World) -> list[Any]:
    client, server = world.pair()
    client.shutdown(socket.SHUT_WR)
    server.until("RDHUP")
    server.shutdown(socket.SHUT_WR)

    return [
        client.until("HUP"),
        server.until("HUP"),
        client.recv(1),
        server.recv(1),
        client.getpeername(),
        server.getpeername(),
        client.getsockname() == server.getsockname(),
        client.shutdown(socket.SHUT_RDWR),
        client.send(b"x"),
        server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
    ]


@probe
def data_after_the_receiving_half_is_shut_down_can_be_read(world: World) -> list[Any]:
    client, server = world.pair()

    return [
        server.shutdown(socket.SHUT_RD),
        server.events(),
        server.recv(1),
        client.send(b"late"),
        server.until("IN"),
        client.events(),
        server.recv(10),
        server.recv(10),
    ]


@probe
def data_after_both_halves_are_shut_down_resets(world: World) -> list[Any]:
    client, server = world.pair()

    return [
        server.shutdown(socket.SHUT_RDWR),
        server.events(),
        client.until("RDHUP"),
        client.send(b"late"),
        client.until("ERR"),
        client.send(b"x"),
        client.send(b"x"),
        client.recv(1),
        server.until("ERR"),
        server.recv(1),
        server.recv(1),
    ]


@probe
def broken_pipe_comes_after_a_write_that_seemed_to_succeed(world: World) -> list[Any]:
    client, server = world.pair()
    client.close()
    results = [
        server.until("RDHUP"),
        server.send(b"into the void"),
        server.until("ERR"),
        server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
        server.send(b"x"),
        server.recv(1),
        server.events(),
    ]

    client, server = world.pair()
    client.close()
    server.until("RDHUP")

    return [*results, server.recv(1), server.send(b"x"), server.until("ERR"), server.send(b"x"), server.send(b"x")]


@probe
def write_after_a_reset(world: World) -> list[Any]:
    client, server = world.pair()
    reset(client)

    return [
        server.until("ERR"),
        server.send(b"x"),
        server.send(b"x"),
        server.recv(1),
        server.events(),
        server.getpeername(),
    ]


@probe
def read_after_a_reset(world: World) -> list[Any]:
    client, server = world.pair()
    reset(client)
    results = [server.until("ERR"), server.recv(1), server.recv(1), server.send(b"x"), server.events()]

    client, server = world.pair()
    reset(client)

    return [
        *results,
        server.until("ERR"),
        server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
        server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
        server.recv(1),
        server.shutdown(socket.SHUT_RDWR),
    ]


@probe
def data_before_a_reset_can_be_read(world: World) -> list[Any]:
    client, server = world.pair()
    client.send(b"last words")
    server.until("IN")
    reset(client)

    return [server.until("ERR"), server.recv(4), server.recv(10), server.recv(10), server.recv(10)]


@probe
def a_close_with_unread_bytes_resets(world: World) -> list[Any]:
    client, server = world.pair()
    client.send(b"unread")
    server.until("IN")
    server.send(b"answer")
    client.until("IN")
    server.close()
    results = [client.until("ERR"), client.recv(10), client.recv(10), client.recv(10), client.send(b"x")]

    client, server = world.pair()
    client.send(b"unread")
    client.shutdown(socket.SHUT_WR)
    server.until("RDHUP")
    server.close()

    return [*results, client.until("ERR"), client.recv(1), client.recv(1)]


@probe
def a_reset_after_the_end_of_the_stream(world: World) -> list[Any]:
    client, server = world.pair()
    client.shutdown(socket.SHUT_WR)
    server.until("RDHUP")
    reset(client)

    return [server.until("ERR"), server.recv(1), server.recv(1), server.send(b"x"), server.send(b"x")]


@probe
def linger_that_is_off_or_long_does_not_reset(world: World) -> list[Any]:
    client, server = world.pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
    client.send(b"x")
    client.close()

    return [server.until("RDHUP"), server.recv(1), server.recv(1), server.events()]
