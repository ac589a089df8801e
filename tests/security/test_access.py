"""Who may talk, by network: refused peers are recorded, and are no errors."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from tests.support.handlers import EchoBytes
from tests.support.servers import connect, on_every_concurrency, rest_of, wait_for_end
from windsock import Ending, UsageError, combine, serving
from windsock.security import AccessMixIn
from windsock.servers import ThreadingMixIn, ThreadingUDPServer, ThreadingUnixStreamServer, UDPServer


def guarded(concurrency: str = "threading", **networks: Any) -> type[Any]:
    """Return a class of servers with those networks."""
    return type("Guarded", (combine(concurrency=concurrency, mixins=[AccessMixIn]),), networks)


@on_every_concurrency
def test_a_client_from_a_denied_network_is_refused(concurrency: str) -> None:
    with serving(guarded(concurrency, denied_networks=["127.0.0.0/8"]), EchoBytes) as server:
        with connect(server) as client:
            assert rest_of(client) == b""
        wait_for_end(server)

    (connection,) = server.connections
    assert connection.ending == Ending.REFUSED
    assert connection.refused == f"127.0.0.1:{connection.peer[1]} is in a denied network"
    assert f"#0 refused: {connection.refused}" in "\n".join(server.transcript())
    assert list(server.errors) == []


@on_every_concurrency
def test_a_client_from_an_allowed_network_is_served(concurrency: str) -> None:
    guards = guarded(concurrency, allowed_networks=["10.0.0.0/8", "127.0.0.1"])
    with serving(guards, EchoBytes) as server, connect(server) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"

    assert server.connections[0].refused is None


@pytest.mark.parametrize(
    ("networks", "is_allowed"),
    [
        ({}, True),
        ({"allowed_networks": []}, False),
        ({"allowed_networks": ["10.0.0.0/8"]}, False),
        ({"allowed_networks": [ipaddress.ip_network("127.0.0.0/24")]}, True),
        ({"allowed_networks": ["127.0.0.0/8"], "denied_networks": ["127.0.0.1"]}, False),
        ({"denied_networks": ["127.0.0.2/32", "::1"]}, True),
        ({"allowed_networks": ["::1/128"]}, False),
    ],
)
def test_networks_are_looked_at_together(networks: dict[str, Any], is_allowed: bool) -> None:
    with serving(guarded(**networks), EchoBytes) as server, connect(server) as client:
        if is_allowed:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert rest_of(client) == b"hello"
        else:
            wait_for_end(server)
            assert server.connections[0].ending == Ending.REFUSED


@pytest.mark.parametrize(
    ("peer", "is_allowed"),
    [(("::ffff:10.1.2.3", 1, 0, 0), True), (("fe80::1%eth0", 1, 0, 2), False), ("/some/path", False), (None, False)],
)
def test_addresses_are_taken_for_what_they_are(peer: Any, is_allowed: bool) -> None:
    class Verifier:
        def verify_request(self, request: object, client_address: object) -> bool:
            return True

    class Guarded(AccessMixIn, Verifier):
        allowed_networks = ("10.0.0.0/8",)

    assert Guarded().verify_request(None, peer) is is_allowed


def test_a_datagram_can_be_refused_too() -> None:
    class Guarded(AccessMixIn, ThreadingMixIn, UDPServer):
        allowed_networks = ("10.0.0.0/8",)

    with serving(Guarded).echo() as server, connect(server) as client:
        client.send(b"hello")
        wait_for_end(server)

    assert server.connections[0].ending == Ending.REFUSED
    assert server.connections[0].downstream == b""


def test_the_hook_is_told_why() -> None:
    told: list[str] = []

    class Guarded(AccessMixIn, ThreadingUDPServer):
        denied_networks = ("127.0.0.1",)

        def handle_refused(self, request: object, client_address: object, reason: str) -> None:
            told.append(reason)

    with serving(Guarded) as server, connect(server) as client:
        client.send(b"hello")
        wait_for_end(server)
        port = client.getsockname()[1]

    assert told == [f"127.0.0.1:{port} is in a denied network"]


def test_a_unix_client_is_in_no_network() -> None:
    class Guarded(AccessMixIn, ThreadingUnixStreamServer):
        allowed_networks = ("0.0.0.0/0",)

    with serving(Guarded, EchoBytes) as server, connect(server) as client:
        assert rest_of(client) == b""
        wait_for_end(server)

    assert server.connections[0].refused == "(unnamed) is in no allowed network"


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        (
            {"allowed_networks": ["10.0.0.1/8"]},
            "allowed_networks: '10.0.0.1/8' is not a network: 10.0.0.1/8 has host bits set",
        ),
        (
            {"denied_networks": ["localhost"]},
            "denied_networks: 'localhost' is not a network: 'localhost' does not appear to be an IPv4 or IPv6 network",
        ),
        (
            {"denied_networks": "127.0.0.1"},
            "denied_networks = '127.0.0.1': expected a list, such as ['127.0.0.1']",
        ),
    ],
)
def test_what_is_no_network_is_an_error_and_lets_nobody_in(networks: dict[str, Any], message: str) -> None:
    with serving(guarded(**networks), EchoBytes) as server:
        with connect(server) as client:
            assert rest_of(client) == b""
        wait_for_end(server)
        (error,) = server.errors.take()

    assert isinstance(error, UsageError)
    assert str(error) == message
