"""Servers in a multicast group, and at the broadcast address, of the loopback interface."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import trio

import windsock
from tests.support.servers import on_every_concurrency
from tests.support.waiting import DEADLINE
from windsock.faults import Duplicate
from windsock.net import groups
from windsock.servers import DatagramRequestHandler

GROUP = "239.1.2.3"

in_a_group = pytest.mark.parametrize(
    "place", [{"multicast": GROUP}, {"broadcast": True}], ids=["multicast", "broadcast"]
)


@pytest.fixture
def client() -> Iterator[socket.socket]:
    """Return a socket that sends to groups over the loopback interface, as the clients of users do it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(DEADLINE)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        yield made


class Shout(DatagramRequestHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.read().upper())


@in_a_group
@on_every_concurrency
def test_a_member_takes_what_goes_to_its_group_and_replies(
    concurrency: str, place: dict[str, Any], client: socket.socket
) -> None:
    with windsock.serving(transport="udp", concurrency=concurrency, **place) as server:
        server.on(b"who").reply(b"me")
        client.sendto(b"who", server.address)

        assert client.recvfrom(100) == (b"me", ("127.0.0.1", server.port))
        assert server.host == place.get("multicast", "127.255.255.255")


@in_a_group
def test_another_server_takes_the_port_of_one_that_runs(place: dict[str, Any], client: socket.socket) -> None:
    with (
        windsock.serving(transport="udp", **place) as one,
        windsock.serving(transport="udp", port=one.port, **place) as other,
    ):
        one.on(b"who").reply(b"one")
        other.on(b"who").reply(b"other")
        client.sendto(b"who", one.address)

        assert {client.recv(100), client.recv(100)} == {b"one", b"other"}


@in_a_group
def test_a_handler_serves_a_group(place: dict[str, Any], client: socket.socket) -> None:
    with windsock.serving(Shout, transport="udp", **place) as server:
        client.sendto(b"hello", server.address)

        assert client.recv(100) == b"HELLO"


@in_a_group
def test_several_members_on_one_port_all_take_a_datagram(place: dict[str, Any], client: socket.socket) -> None:
    with windsock.serving(transport="udp", **place) as probe:
        port = probe.port
    with (
        windsock.serving(transport="udp", port=port, **place) as one,
        windsock.serving(transport="udp", port=port, **place) as two,
    ):
        one.reply(b"1")
        two.reply(b"2")
        client.sendto(b"who", (one.host, port))

        assert {client.recv(100), client.recv(100)} == {b"1", b"2"}


@in_a_group
@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relayed"])
def test_a_scripted_client_gets_the_replies_of_the_members(place: dict[str, Any], relay: bool) -> None:
    with windsock.serving(transport="udp", relay=relay, **place).echo() as server, server.connect() as client:
        client.send(b"one").expect(b"one").send(b"two").expect(b"two")

        assert [each.data for each in server.requests.wait(2)] == [b"one", b"two"]


@in_a_group
def test_a_trio_client_gets_the_replies_of_the_members(place: dict[str, Any]) -> None:
    async def converse(server: windsock.RunningServer) -> None:
        async with server.connect_trio() as client:
            await client.send(b"one")
            await client.expect(b"one")

    with windsock.serving(transport="udp", **place).echo() as server:
        trio.run(converse, server)


@in_a_group
def test_a_fault_that_comes_while_it_serves_acts_on_a_group(place: dict[str, Any]) -> None:
    with windsock.serving(transport="udp", **place).echo() as server, server.connect() as client:
        client.send(b"before").expect(b"before")
        with server.fault(Duplicate(1), direction="downstream"):
            client.send(b"twice").expect(b"twice").expect(b"twice")


@in_a_group
def test_a_group_is_silent_during_an_outage_and_served_again(place: dict[str, Any], client: socket.socket) -> None:
    with windsock.serving(transport="udp", **place).echo() as server:
        with server.outage():
            client.sendto(b"lost", server.address)
        client.sendto(b"x", server.address)

        assert client.recv(100) == b"x"
        assert [each.data for each in server.requests.wait(1)] == [b"x"]


def test_a_member_of_one_group_takes_nothing_of_another(client: socket.socket) -> None:
    with windsock.serving(transport="udp", multicast=GROUP).echo() as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member:
            groups.join(member, "239.1.2.4")
            client.sendto(b"not for it", ("239.1.2.4", server.port))
        client.sendto(b"for it", server.address)

        assert client.recv(100) == b"for it"
        assert [each.data for each in server.requests.wait(1)] == [b"for it"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"multicast": "127.0.0.1"}, "multicast='127.0.0.1': expected an IPv4 group"),
        ({"multicast": "ff02::1"}, "multicast='ff02::1': expected an IPv4 group"),
        ({"multicast": 239}, "multicast=239: expected an IPv4 group"),
        ({"multicast": GROUP, "host": "127.0.0.1"}, "pass one of them"),
        ({"multicast": GROUP, "broadcast": True}, "pass one of them"),
        ({"broadcast": "yes"}, "broadcast='yes': expected True or False"),
        ({"multicast": GROUP, "transport": "tcp"}, "that is for transport='udp', and this server is 'tcp'"),
        ({"broadcast": True, "transport": "unix_datagram"}, "that is for transport='udp'"),
    ],
)
def test_what_is_no_group_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(windsock.UsageError) as caught:
        windsock.serving(**{"transport": "udp"} | options)

    assert words in str(caught.value)
