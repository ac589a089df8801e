"""Probes: urgent data of TCP connections."""

from __future__ import annotations

import socket
from typing import Any

from tests.simulation.network.probes import probe
from tests.simulation.network.worlds import World

OOB = socket.MSG_OOB


@probe
def a_lone_urgent_byte(world: World) -> list[Any]:
    client, server = world.pair()

    return [
        server.recv(1, OOB),
        client.send(b"!", OOB),
        server.until("PRI"),
        server.at_mark(),
        server.unread(),
        server.recv(1, OOB),
        server.events(),
        server.recv(1, OOB),
        server.recv(1),
        server.at_mark(),
    ]


@probe
def reading_stops_at_the_mark_and_skips_the_byte(world: World) -> list[Any]:
    client, server = world.pair()
    client.send(b"abc!", OOB)
    server.until("PRI")
    client.send(b"def")
    client.shutdown(socket.SHUT_WR)
    server.until("RDHUP")

    return [
        server.events(),
        server.unread(),
        server.at_mark(),
        server.recv(10),
        server.at_mark(),
        server.events(),
        server.recv(10),
        server.recv(1, OOB),
        server.recv(10),
    ]


@probe
def an_urgent_byte_is_taken_before_the_data(world: World) -> list[Any]:
    client, server = world.pair()
    client.send(b"abc!", OOB)
    server.until("PRI")

    return [
        server.recv(1, OOB | socket.MSG_PEEK),
        server.recv(1, OOB),
        server.events(),
        server.recv(10),
        server.recv(10),
        server.events(),
        server.recvmsg(1, 0, OOB),
    ]


@probe
def urgent_data_in_line(world: World) -> list[Any]:
    client, server = world.pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    client.send(b"abc!", OOB)
    server.until("PRI")
    client.send(b"def")
    client.shutdown(socket.SHUT_WR)
    server.until("RDHUP")

    return [
        server.recv(1, OOB),
        server.unread(),
        server.recv(10),
        server.at_mark(),
        server.events(),
        server.recv(10),
        server.events(),
        server.at_mark(),
    ]


@probe
def a_second_urgent_byte(world: World) -> list[Any]:
    client, server = world.pair()
    client.send(b"ab!", OOB)
    server.until("PRI")
    client.send(b"cd?", OOB)
    client.shutdown(socket.SHUT_WR)
    server.until("RDHUP")
    results = [server.recv(1, OOB), server.recv(10), server.recv(10)]

    client, server = world.pair()
    client.send(b"!", OOB)
    server.until("PRI")
    client.send(b"cd?", OOB)
    client.shutdown(socket.SHUT_WR)
    server.until("RDHUP")

    return [*results, server.recv(1, OOB), server.recv(10), server.recv(10)]


@probe
def urgent_data_of_a_unix_stream(world: World) -> list[Any]:
    results: list[Any] = []
    for is_inline in (0, 1):
        first, second = world.unix_pair()
        second.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, is_inline)
        results += [second.recv(1, OOB), first.send(b"", OOB), first.send(b"ab!", OOB), second.events()]
        results += [second.unread(), second.recv(1, OOB | socket.MSG_PEEK), first.send(b"cd?", OOB), first.send(b"ef")]
        results += [second.recv(9), second.at_mark(), second.recv(9, socket.MSG_PEEK), second.recv(9)]
        results += [first.send(b"gh!", OOB), second.recv(1, OOB), first.send(b"ij"), second.recv(9)]
        results += [second.at_mark(), second.recv(9), second.events(), second.close(), first.events()]
    return results


@probe
def urgent_data_at_the_end(world: World) -> list[Any]:
    client, server = world.pair()
    client.send(b"!", OOB)
    client.shutdown(socket.SHUT_WR)
    server.until("RDHUP")
    results = [server.events(), server.recv(10), server.recv(1, OOB), server.send(b"", OOB)]

    client, server = world.pair()
    client.send(b"!", OOB)
    server.until("PRI")
    server.recv(1, OOB)
    server.close()

    return [*results, client.until("HUP", "ERR"), client.recv(1)]
