"""Probes: how TCP connections begin, and what addresses there are."""

from __future__ import annotations

import socket
from typing import Any

from tests.simulation.network.probes import probe
from tests.simulation.network.worlds import World


@probe
def connect_to_a_closed_port(world: World) -> list[Any]:
    address = world.closed_port()
    client = world.tcp()

    return [
        client.connect(address),
        client.until("ERR"),
        client.connect(address),
        client.events(),
        client.connect(address),
    ]


@probe
def the_error_of_a_refused_connection_is_reported_once(world: World) -> list[Any]:
    address = world.closed_port()
    client = world.tcp()

    return [
        client.connect(address),
        client.until("ERR"),
        client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
        client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
        client.events(),
        client.connect(address),
    ]


@probe
def a_refused_socket_reads_and_writes(world: World) -> list[Any]:
    address = world.closed_port()
    reader, writer = world.tcp(), world.tcp()
    reader.connect(address)
    writer.connect(address)

    return [
        reader.until("ERR"),
        reader.recv(1),
        reader.recv(1),
        reader.send(b"x"),
        writer.until("ERR"),
        writer.send(b"x"),
        writer.send(b"x"),
        writer.recv(1),
    ]


@probe
def connect_says_in_progress_then_nothing_then_connected(world: World) -> list[Any]:
    listener = world.listener()
    client = world.tcp()

    return [
        client.connect(listener.address),
        client.until("OUT"),
        client.connect(listener.address),
        client.connect(listener.address),
        client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
    ]


@probe
def the_names_of_both_ends_and_of_a_new_socket(world: World) -> list[Any]:
    listener = world.listener()
    client, server = world.connected(listener)
    results = [
        client.getsockname() == server.getpeername(),
        client.getpeername() == server.getsockname() == listener.address,
        client.getsockname()[0],
        listener.getpeername(),
    ]

    new, v6 = world.tcp(), world.tcp(socket.AF_INET6)

    return [*results, new.getsockname(), new.getpeername(), v6.getsockname(), v6.getpeername()]


@probe
def a_new_socket(world: World) -> list[Any]:
    listener = world.listener()
    results = [world.tcp().events(), listener.events(), world.udp().events()]

    new = world.tcp()

    return [*results, new.recv(1), new.send(b"x"), new.shutdown(socket.SHUT_WR), new.accept(), new.send(b"")]


@probe
def what_a_listener_does_and_does_not(world: World) -> list[Any]:
    listener = world.listener()
    results = [listener.recv(1), listener.send(b"x"), listener.accept(), listener.connect(listener.address)]

    listener = world.listener()
    client, server = world.connected(listener)
    results += [listener.listen(1), client.listen(1), server.listen(1)]

    listener = world.tcp()

    return [*results, listener.listen(1), listener.getsockname()[0], listener.port > 0]


@probe
def a_connected_socket_is_connected_or_bound_again(world: World) -> list[Any]:
    listener = world.listener()
    client, server = world.connected(listener)

    return [
        client.connect(listener.address),
        server.connect(listener.address),
        client.bind(("127.0.0.1", 0)),
        server.accept(),
    ]


@probe
def a_client_bound_to_another_loopback_address(world: World) -> list[Any]:
    listener = world.listener()
    client = world.tcp()
    client.bind(("127.0.0.3", 0))
    client.connect(listener.address)
    listener.until("IN")
    server = listener.accept()

    return [server.getpeername()[0], server.getpeername() == client.getsockname()]


@probe
def all_addresses(world: World) -> list[Any]:
    listener = world.listener(host="0.0.0.0")
    client, server = world.connected(listener, host="127.0.0.5")
    results = [client.getsockname()[0], server.getsockname()[0], listener.getsockname()[0]]

    listener = world.listener(host="0.0.0.0")
    client, _server = world.connected(listener, host="0.0.0.0")

    return [*results, client.getpeername()[0]]


@probe
def a_full_queue_of_a_listener(world: World) -> list[Any]:
    listener = world.listener(backlog=1)
    clients = [world.tcp() for _ in range(2)]
    for each in clients:
        each.connect(listener.address)
        each.until("OUT")
    late = world.tcp()
    results = [late.connect(listener.address), late.events(), late.connect(listener.address), late.send(b"x")]

    listener = world.listener(backlog=0)
    first = world.tcp()
    first.connect(listener.address)
    first.until("OUT")
    late = world.tcp()

    return [
        *results,
        late.connect(listener.address),
        late.recv(1),
        late.getsockname()[0],
        late.getpeername(),
        late.shutdown(socket.SHUT_RDWR),
    ]


@probe
def what_clients_do_before_accept(world: World) -> list[Any]:
    listener = world.listener()
    client = world.tcp()
    client.connect(listener.address)
    client.until("OUT")
    sent = client.send(b"early")
    server = listener.accept()
    results = [sent, server.until("IN"), server.recv(10)]

    listener = world.listener()
    client = world.tcp()
    client.connect(listener.address)
    client.until("OUT")
    client.send(b"bye")
    client.close()
    listener.until("IN")
    server = listener.accept()

    return [*results, server.until("RDHUP"), server.recv(10), server.recv(10)]


@probe
def closing_a_listener_resets_its_queue(world: World) -> list[Any]:
    listener = world.listener()
    client = world.tcp()
    client.connect(listener.address)
    listener.until("IN")
    listener.close()

    return [client.until("ERR", "HUP"), client.recv(1), client.recv(1), client.send(b"x")]


@probe
def shutting_a_listener_down(world: World) -> list[Any]:
    listener = world.listener()
    client = world.tcp()
    client.connect(listener.address)
    listener.until("IN")
    port = listener.port

    return [
        listener.shutdown(socket.SHUT_WR),
        listener.events(),
        listener.shutdown(socket.SHUT_RD),
        listener.accept(),
        listener.events(),
        listener.port == port,
        client.until("ERR", "HUP"),
        listener.listen(1),
        listener.port > 0,
    ]
