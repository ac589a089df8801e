"""Probes: Unix sockets, their names and queues."""

from __future__ import annotations

import socket
from typing import Any

from tests.simulation.network.probes import probe
from tests.simulation.network.worlds import End, World


@probe
def a_unix_connection(world: World) -> list[Any]:
    listener, client = world.unix_listener(), world.unix()
    path = world.path("listener")

    return [
        client.events(),
        client.connect(path),
        client.events(),
        listener.events(),
        (server := listener.accept()).getsockname() == path,
        server.getpeername(),
        client.getpeername() == path,
        client.getsockname(),
        client.send(b"x"),
        server.until("IN"),
        server.recv(1),
        client.connect(path),
        listener.accept(),
    ]


@probe
def files_that_are_missing_or_no_sockets(world: World) -> list[Any]:
    results = [
        world.unix().connect(world.path("none")),
        world.unix_datagram().connect(world.path("none")),
        world.unix_datagram().sendto(b"x", 0, world.path("none")),
    ]

    path = world.path("file")
    world.write_file(path)

    return [*results, world.unix().connect(path), world.unix().bind(path), world.unix_datagram().sendto(b"x", 0, path)]


@probe
def a_stale_file(world: World) -> list[Any]:
    listener = world.unix_listener()
    path = listener.address
    listener.close()
    stale = [world.unix().connect(path), world.unix().bind(path)]
    world.unlink(path)

    return [*stale, world.unix().bind(path), world.unix().connect(path)]


@probe
def a_removed_file_leaves_the_listener_alone(world: World) -> list[Any]:
    listener, client = world.unix_listener(), world.unix()
    client.connect(listener.address)
    world.unlink(listener.address)
    second = world.unix()

    return [
        world.unix().connect(world.path("listener")),
        listener.until("IN"),
        second.bind(world.path("listener")),
        world.unix().connect(world.path("listener")),
        second.listen(1),
        world.unix().connect(world.path("listener")),
        second.until("IN"),
    ]


@probe
def bind_unix_sockets_twice(world: World) -> list[Any]:
    first = world.unix()

    return [
        first.bind(world.path("first")),
        first.bind(world.path("second")),
        world.unix().bind(world.path("first")),
        world.unix().listen(1),
        world.unix_datagram().bind(world.path("first")),
    ]


@probe
def sockets_that_cannot_be_connected_to(world: World) -> list[Any]:
    listener = world.unix_listener()
    receiver = world.unix_datagram()
    receiver.bind(world.path("receiver"))
    results = [
        world.unix().connect(receiver.address),
        world.unix_datagram().connect(listener.address),
        world.unix_datagram().sendto(b"x", 0, listener.address),
    ]

    bound = world.unix()
    bound.bind(world.path("bound"))

    return [*results, world.unix().connect(bound.address), bound.accept(), bound.recv(1), bound.send(b"x")]


@probe
def abstract_names(world: World) -> list[Any]:
    listener = world.unix()
    name = b"\0windsock-%d" % id(world)

    return [
        listener.bind(name),
        listener.getsockname() == name,
        world.unix().bind(name),
        listener.listen(1),
        world.unix().connect(name),
        listener.until("IN"),
        listener.close(),
        world.unix().connect(name),
        world.unix().bind(name),
    ]


@probe
def names_that_are_chosen_or_wrong(world: World) -> list[Any]:
    bound = world.unix()
    results = [bound.bind(""), bound.getsockname()[:1], len(bound.getsockname()), world.unix().getsockname()]

    return [
        *results,
        world.unix().bind(("127.0.0.1", 0)),
        world.unix().bind(7),
        world.unix().bind("/" + 108 * "x"),
        world.unix().connect(None),
        world.unix().connect(""),
    ]


@probe
def a_new_unix_socket(world: World) -> list[Any]:
    new = world.unix()

    return [
        new.recv(1),
        new.send(b"x"),
        new.getpeername(),
        new.shutdown(socket.SHUT_RDWR),
        new.events(),
        new.accept(),
    ]


@probe
def the_queue_of_a_unix_listener(world: World) -> list[Any]:
    listener = world.unix_listener(backlog=1)
    clients = [world.unix() for _ in range(3)]

    return [
        *(each.connect(listener.address) for each in clients),
        isinstance(listener.accept(), End),
        clients[2].connect(listener.address),
    ]


@probe
def closing_a_unix_listener_resets_its_queue(world: World) -> list[Any]:
    listener, client = world.unix_listener(), world.unix()
    client.connect(listener.address)
    client.send(b"x")
    listener.close()

    return [client.until("HUP"), client.send(b"x"), client.recv(1), client.recv(1)]


@probe
def shutting_a_unix_listener_down(world: World) -> list[Any]:
    listener, queued = world.unix_listener(), world.unix()
    queued.connect(listener.address)

    return [
        listener.shutdown(socket.SHUT_RDWR),
        listener.events(),
        world.unix().connect(listener.address),
        isinstance(listener.accept(), End),
    ]
