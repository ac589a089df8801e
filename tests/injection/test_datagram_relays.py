"""Relayed datagram servers: handlers see their clients, clients see their server, and faults are in between."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.servers.helpers import only_linux
from tests.support.waiting import DEADLINE
from windsock.faults import FaultSet
from windsock.faults.kinds.delay import Delay
from windsock.faults.kinds.drop import Drop
from windsock.faults.kinds.rebind import Rebind
from windsock.injection.datagram_relays import DatagramRelays, RelayedReplies
from windsock.net.addresses import PrivateSocketPath, plain

pytestmark = only_linux

on_every_datagram_transport = pytest.mark.parametrize("transport", ["udp", "udp6", "unix_datagram"])


@contextmanager
def relayed(transport: str, fault_set: FaultSet) -> Iterator[tuple[DatagramRelays, socket.socket]]:
    """A server's socket behind a relay, and a client that is connected to where the server was bound."""
    private = PrivateSocketPath() if transport == "unix_datagram" else None
    family = {"udp": socket.AF_INET, "udp6": socket.AF_INET6}.get(transport, socket.AF_UNIX)
    bound = socket.socket(family, socket.SOCK_DGRAM)
    bound.bind(private.path if private is not None else ("::1" if transport == "udp6" else "127.0.0.1", 0))
    address = bound.getsockname()
    errors: list[Exception] = []
    relay_loop = DatagramRelays(bound, fault_set, name="test", on_error=errors.append)
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE)
            relay_loop.socket.settimeout(DEADLINE)
            if private is not None:
                client.bind("")
            client.connect(address)
            yield relay_loop, client
    finally:
        relay_loop.stop(DEADLINE)
        relay_loop.stop(DEADLINE)
        if private is not None:
            private.remove()
    assert errors == []


@on_every_datagram_transport
def test_a_handler_sees_the_clients_address_and_answers_it(transport: str) -> None:
    with relayed(transport, FaultSet(traffic="datagram")) as (relay_loop, client):
        for number in range(3):
            client.send(b"question %d" % number)
            data, name = relay_loop.socket.recvfrom(100)
            peer = relay_loop.client_of(name)
            assert data == b"question %d" % number
            assert plain(peer) == plain(client.getsockname())

            RelayedReplies(relay_loop.socket, relay_loop).sendto(b"answer", peer)
            RelayedReplies(relay_loop.socket, relay_loop).sendmsg([b"more ", b"of it"], [], 0, peer)
            assert (client.recv(100), client.recv(100)) == (b"answer", b"more of it")


@on_every_datagram_transport
def test_faults_act_on_datagrams_and_on_replies(transport: str) -> None:
    fault_set = FaultSet(traffic="datagram")
    dropping = fault_set.install(Drop([2]), direction="upstream")
    slow = fault_set.install(Delay(0.02), direction="downstream")
    with relayed(transport, fault_set) as (relay_loop, client):
        for data in (b"1", b"2", b"3"):
            client.send(data)
        first, name = relay_loop.socket.recvfrom(100)
        assert [first, relay_loop.socket.recv(100)] == [b"1", b"3"]
        RelayedReplies(relay_loop.socket, relay_loop).sendto(b"late", relay_loop.client_of(name))
        assert client.recv(100) == b"late"
    assert (dropping.fired, slow.fired) == (1, 1)


def test_a_client_that_is_bound_anew_is_another_client_and_can_be_answered() -> None:
    fault_set = FaultSet(traffic="datagram")
    with relayed("udp", fault_set) as (relay_loop, client):
        client.send(b"before")
        _, before = relay_loop.socket.recvfrom(100)
        fault_set.install(Rebind(), nth=1, times=1)
        client.send(b"after")
        data, after = relay_loop.socket.recvfrom(100)

        assert data == b"after"
        assert relay_loop.client_of(before) == client.getsockname()
        assert relay_loop.client_of(after) not in (client.getsockname(), before)
        RelayedReplies(relay_loop.socket, relay_loop).sendto(b"answer", relay_loop.client_of(after))
        assert client.recv(100) == b"answer"


def test_a_forked_child_answers_through_the_relay() -> None:
    with relayed("udp", FaultSet(traffic="datagram")) as (relay_loop, client):
        client.send(b"question")
        data, name = relay_loop.socket.recvfrom(100)
        pid = os.fork()
        if pid == 0:
            RelayedReplies(relay_loop.socket, relay_loop).sendto(data + b" answered", relay_loop.client_of(name))
            os._exit(0)
        os.waitpid(pid, 0)
        assert client.recv(100) == b"question answered"
