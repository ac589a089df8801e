"""Faults on the datagrams of every kind of server: handlers see their clients, not the relay."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

import windsock
from tests.support.handlers import EchoDatagram, echo_datagram
from tests.support.servers import DATAGRAMS, connect
from tests.support.waiting import wait_until
from windsock.faults import Blackhole, Delay, Drop, Duplicate, Hold, Loss, Mtu, Rebind, Reset, first
from windsock.harness import CONCURRENCIES

WAIT = 0.1


KINDS = [*((EchoDatagram, each) for each in CONCURRENCIES), (echo_datagram, "trio")]
on_every_handler = pytest.mark.parametrize(
    ("handler", "concurrency"), KINDS, ids=lambda each: getattr(each, "__name__", each)
)
on_both = pytest.mark.parametrize("transport", DATAGRAMS)


@on_both
@on_every_handler
@pytest.mark.parametrize("is_relayed", [True, False], ids=["relayed from the start", "relayed from the first fault on"])
def test_datagrams_are_late_and_lost_and_known_by_their_clients(
    handler: Any, concurrency: str, transport: str, is_relayed: bool
) -> None:
    options: dict[str, Any] = {"transport": transport, "concurrency": concurrency, "relay": is_relayed}
    with windsock.serving(handler, **options) as server, server.connect() as client:
        client.send(b"one").expect(b"one")
        with server.fault(Delay(WAIT), direction="upstream") as late:
            start = time.monotonic()
            client.send(b"two").expect(b"two")
            seconds = time.monotonic() - start
        with server.fault(Drop(1), direction="downstream") as lost:
            client.send(b"lost")
            wait_until(lambda: lost.fired == 1)
            client.send(b"not").expect(b"not")
        client.send(b"three").expect(b"three")

        assert seconds >= WAIT
        assert (late.fired, lost.fired) == (1, 1)
        assert [each.data for each in server.requests] == [b"one", b"two", b"lost", b"not", b"three"]
        assert {each.peer for each in server.connections} == {client.address}
        assert sum("~ fault: " in line for line in server.transcript()) == 2


@on_both
def test_many_clients_keep_their_addresses(transport: str) -> None:
    with windsock.serving(EchoDatagram, transport=transport, relay=True) as server:
        clients = [connect(server) for _ in range(20)]
        for number, client in enumerate(clients):
            client.send(b"%d" % number)

        assert [client.recv(10) for client in clients] == [b"%d" % number for number in range(20)]
        for client in clients:
            client.close()


@on_both
def test_a_selector_chooses_clients(transport: str) -> None:
    with (
        windsock.serving(EchoDatagram, transport=transport) as server,
        server.connect() as one,
        server.connect() as two,
    ):
        server.fault(Duplicate(2), connections=first(1), direction="downstream")
        one.send(b"x").expect(b"x").expect(b"x").expect(b"x")
        two.send(b"y").expect(b"y")
        with pytest.raises(windsock.ScriptTimeout):
            two.expect(b"y", timeout=WAIT)


def test_a_client_is_somebody_else_after_a_rebind() -> None:
    with windsock.serving(EchoDatagram, transport="udp", relay=True) as server, server.connect() as client:
        client.send(b"one").expect(b"one")
        with server.fault(Rebind(), times=1):
            client.send(b"two").expect(b"two")

        peers = [each.peer for each in server.connections]
        assert peers[0] == client.address
        assert peers[1] != client.address


def test_a_datagram_that_is_too_long_is_dropped() -> None:
    with windsock.serving(EchoDatagram, transport="udp", faults=[Mtu(100)]) as server, server.connect() as client:
        client.send(b"x" * 101).send(b"y" * 100).expect(b"y" * 100)


def test_what_is_held_is_lost_at_the_stop() -> None:
    server = windsock.serving(EchoDatagram, transport="udp", faults=[Hold()])
    client = connect(server)
    client.send(b"x")
    wait_until(lambda: any(line.startswith("+") for line in server.fault_report()))

    server.finish()

    assert len(server.connections) == 0
    client.close()


def lost_of(seed: int) -> list[int]:
    with windsock.serving(
        EchoDatagram, transport="udp", seed=seed, faults=[(Loss(0.3), {"direction": "upstream"})]
    ) as server:
        with server.connect() as client:
            for number in range(100):
                client.send(b"%d" % number)
        end = b"end"
        with connect(server) as last:
            last.settimeout(WAIT)
            answer = b""
            while answer != end:
                last.send(end)
                try:
                    answer = last.recv(10)
                except TimeoutError:
                    pass
        return [int(each.data) for each in server.requests if each.data != end]


def test_the_same_seed_loses_the_same_datagrams() -> None:
    one, again, other = lost_of(1), lost_of(1), lost_of(2)

    assert one == again != other
    assert 50 < len(one) < 90


def test_faults_of_streams_are_none_of_datagrams() -> None:
    with (
        windsock.serving(transport="udp") as server,
        pytest.raises(windsock.UsageError, match="acts on stream, this is a datagram"),
    ):
        server.fault(Reset())


def test_an_outage_of_relayed_datagrams_is_a_blackhole() -> None:
    with windsock.serving(transport="udp", relay=True).echo() as server:
        with pytest.raises(windsock.UsageError, match=r"expected Blackhole\(\) in its place"), server.outage():
            pass

        with server.connect() as client, server.fault(Blackhole()):
            client.send(b"x")
            with pytest.raises(windsock.ScriptTimeout):
                client.expect(b"x", timeout=WAIT)


@on_both
def test_nothing_is_left_after_many_clients(transport: str) -> None:
    with windsock.serving(EchoDatagram, transport=transport, faults=[Delay(0.001)]) as server:
        for _ in range(100):
            with connect(server) as client:
                client.send(b"x")
                assert client.recv(10) == b"x"

        assert server.server.socket.type == socket.SOCK_DGRAM
