"""Probes: what can be bound and what cannot."""

from __future__ import annotations

import socket
from typing import Any

from tests.simulation.network.probes import probe
from tests.simulation.network.worlds import World


@probe
def bind_twice_and_beside_a_listener(world: World) -> list[Any]:
    first, second = world.tcp(), world.tcp()
    results = [
        first.bind(("127.0.0.1", 0)),
        first.bind(("127.0.0.1", 0)),
        second.bind(first.address),
        second.bind(("127.0.0.2", first.port)),
        world.tcp().bind(("", first.port)),
    ]

    listener = world.listener(SO_REUSEADDR=1)
    second = world.tcp()
    second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    return [*results, second.bind(listener.address), second.bind(("127.0.0.2", listener.port))]


@probe
def two_sockets_share_a_port_if_both_want_to(world: World) -> list[Any]:
    first, second = world.tcp(), world.tcp()
    for each in (first, second):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    first.bind(("127.0.0.1", 0))
    results = [second.bind(first.address), first.listen(1), second.listen(1)]

    first, second = world.tcp(), world.tcp()
    for each in (first, second):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    first.bind(("127.0.0.1", 0))

    return [*results, second.bind(first.address), first.listen(1), second.listen(1)]


@probe
def a_port_is_taken_by_the_connections_of_a_closed_listener(world: World) -> list[Any]:
    listener = world.listener()
    address = listener.address
    world.connected(listener)
    listener.close()
    plain, reusing = world.tcp(), world.tcp()
    reusing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    return [plain.bind(address), reusing.bind(address)]


@probe
def a_restarted_server_takes_its_port_while_old_connections_last(world: World) -> list[Any]:
    listener = world.listener(SO_REUSEADDR=1)
    address = listener.address
    world.connected(listener)
    listener.close()
    reusing = world.tcp()
    reusing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    return [reusing.bind(address), reusing.listen(1)]


@probe
def wrong_addresses(world: World) -> list[Any]:
    results = [world.tcp().bind(("203.0.113.9", 0)), world.udp().bind(("203.0.113.9", 0))]

    new = world.tcp()

    return [
        *results,
        new.bind("127.0.0.1"),
        new.bind(("127.0.0.1",)),
        new.bind(("127.0.0.1", "80")),
        new.bind(("127.0.0.1", 65536)),
        new.connect(("127.0.0.1", -1)),
        new.bind((None, 0)),
    ]
