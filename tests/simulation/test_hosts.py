"""Several hosts in one world: names, addresses, and the links between them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from windsock import faults
from windsock.errors import UsageError
from windsock.simulation import World, simulated


@pytest.fixture
def world() -> Iterator[World]:
    with simulated(seed=7) as world:
        yield world


def serve_echo(name: str, world: World) -> None:
    """Have a host send back what comes to its port 7."""
    with world.host(name):
        listener = socket.create_server(("", 7))

        def echo() -> None:
            connection, _ = listener.accept()
            with listener, connection, suppress(ConnectionResetError):
                while data := connection.recv(100):
                    connection.sendall(data)

        threading.Thread(target=echo).start()


def test_a_host_is_reached_by_its_name_from_another(world: World) -> None:
    serve_echo("db.internal", world)

    with world.host("app.internal") as app, socket.create_connection(("db.internal", 7)) as sock:
        sock.sendall(b"hello")
        assert sock.recv(9) == b"hello"
        assert sock.getsockname()[0] == app.addresses[0]
        assert sock.getpeername()[0] == world.host("db.internal").addresses[0]
        assert socket.gethostname() == "app.internal"
    assert socket.gethostname() == "localhost"


def test_the_port_of_one_host_is_closed_on_another(world: World) -> None:
    serve_echo("db.internal", world)

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("localhost", 7))
    with socket.create_connection(("db.internal", 7)):
        pass


def test_a_link_takes_its_time(world: World) -> None:
    world.link("app.internal", "db.internal").set(latency=0.25)
    serve_echo("db.internal", world)

    with world.host("app.internal"), socket.create_connection(("db.internal", 7)) as sock:
        before = world.now
        sock.sendall(b"hello")
        sock.recv(9)
    assert world.now - before == 0.5


def test_a_link_has_faults(world: World) -> None:
    world.link("app.internal", "db.internal").streams.install(faults.Reset(after_bytes=5))
    serve_echo("db.internal", world)

    with world.host("app.internal"), socket.create_connection(("db.internal", 7)) as sock:
        sock.sendall(b"hello world")
        with pytest.raises(ConnectionResetError):
            sock.recv(9)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_runs_in_the_middle_of_what_the_network_does(seed: int) -> None:
    with simulated(seed=seed) as world:
        world.link("app.internal", "db.internal").streams.install(faults.Reset(after_bytes=5))
        serve_echo("db.internal", world)

        with world.host("app.internal"), socket.create_connection(("db.internal", 7)) as sock:
            with suppress(ConnectionResetError):
                sock.sendall(b"hello world")  # five bytes arrive, and the reset with them
            with pytest.raises(ConnectionResetError):
                sock.recv(9)


def test_a_name_that_is_no_name_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match="expected a name"):
        world.host("")
