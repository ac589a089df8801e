"""reply(source=...): a datagram fake answers from other addresses than its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

import windsock
from tests.support.servers import on_every_concurrency, on_every_datagram_kind
from tests.support.waiting import DEADLINE


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(DEADLINE)
        made.bind(("127.0.0.1", 0))
        yield made


@pytest.mark.parametrize("delay", [0.0, 0.01], ids=["at once", "delayed"])
@on_every_concurrency
def test_a_reply_comes_from_another_address(concurrency: str, delay: float, client: socket.socket) -> None:
    with windsock.serving(transport="udp", concurrency=concurrency) as server:
        server.on(b"who").reply(b"me", source=("127.0.0.2", server.port), delay=delay)
        client.sendto(b"who", server.address)

        assert client.recvfrom(100) == (b"me", ("127.0.0.2", server.port))
        assert server.requests.only().reply == b"me"
        assert any(f"from 127.0.0.2:{server.port}" in line for line in server.transcript())


@on_every_concurrency
def test_several_peers_answer_one_question_after_the_other(concurrency: str, client: socket.socket) -> None:
    with windsock.serving(transport="udp", concurrency=concurrency) as server:
        server.on(b"who").reply(b"1", source="127.0.0.2").then(b"2", source="127.0.0.3").then(b"3")
        for expected in (("127.0.0.2", b"1"), ("127.0.0.3", b"2"), ("127.0.0.1", b"3")):
            client.sendto(b"who", server.address)
            data, (host, _) = client.recvfrom(100)

            assert (host, data) == expected


@on_every_concurrency
def test_a_conversation_goes_on_with_another_server_as_in_tftp(concurrency: str, client: socket.socket) -> None:
    given: Any = {"transport": "udp", "concurrency": concurrency}
    with windsock.serving(**given) as server, windsock.serving(**given) as transfer:
        server.on(b"RRQ").reply(b"DATA 1", source=transfer)
        transfer.on(b"ACK 1").reply(b"DATA 2")
        client.sendto(b"RRQ", server.address)
        data, peer = client.recvfrom(100)
        assert (data, peer) == (b"DATA 1", transfer.address)

        client.sendto(b"ACK 1", peer)
        assert client.recvfrom(100) == (b"DATA 2", transfer.address)


def test_unix_datagrams_come_from_another_server() -> None:
    with (
        windsock.serving(transport="unix_datagram") as server,
        windsock.serving(transport="unix_datagram") as other,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(DEADLINE)
        client.bind("")
        server.reply(b"hello", source=other)
        client.sendto(b"x", server.address)

        assert client.recvfrom(100) == (b"hello", other.address)


def test_a_connected_client_does_not_see_a_reply_from_elsewhere(client: socket.socket) -> None:
    with windsock.serving(transport="udp") as server:
        server.reply(b"forged", source="127.0.0.2").reply(b"genuine")
        client.connect(server.address)
        client.send(b"x")
        server.requests.wait(1)
        client.send(b"x")

        assert client.recv(100) == b"genuine"


def test_a_client_of_both_families_is_answered_from_an_ipv4_address(client: socket.socket) -> None:
    with windsock.serving(transport="udp", host="localhost") as server:
        server.reply(b"x", source="127.0.0.2")
        client.sendto(b"x", ("127.0.0.1", server.port))

        assert client.recvfrom(100)[1][0] == "127.0.0.2"


def test_a_source_of_the_other_family_is_an_error_of_the_test(client: socket.socket) -> None:
    server = windsock.serving(transport="udp")
    server.reply(b"x", source="::1")
    client.sendto(b"x", server.address)

    with pytest.raises(ExceptionGroup) as failure:
        server.finish()

    assert "expected a source of the client's family" in str(failure.value.exceptions[0])


def test_a_source_whose_port_is_taken_names_it(client: socket.socket) -> None:
    server = windsock.serving(transport="udp")
    taken = client.getsockname()
    server.reply(b"x", source=taken)
    client.sendto(b"x", server.address)

    with pytest.raises(ExceptionGroup) as failure:
        server.finish()

    assert f"source={taken!r}): Address already in use" in str(failure.value.exceptions[0])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (53, "expected a host"),
        (("127.0.0.2",), "expected a host"),
        (("127.0.0.2", 65536), "expected a host"),
        (("127.0.0.2", "53"), "expected a host"),
        ("192.0.2.1", "expected a loopback address"),
        ("", "expected a loopback address"),
    ],
)
def test_a_source_that_cannot_be_is_named(source: Any, words: str) -> None:
    with windsock.serving(transport="udp") as server, pytest.raises(windsock.UsageError) as caught:
        server.reply(b"x", source=source)

    assert f"reply(source={source!r}): {words}" in str(caught.value)


def test_a_stream_has_one_source() -> None:
    with (
        windsock.serving(framing="lines", allow_unused=True) as server,
        pytest.raises(windsock.UsageError, match="that is for datagrams"),
    ):
        server.on(b"x").reply(b"y", source="127.0.0.2")


def test_a_server_that_sends_no_datagrams_is_no_source() -> None:
    with (
        windsock.serving() as stream,
        windsock.serving(transport="udp") as server,
        pytest.raises(windsock.UsageError, match="expected a datagram server that runs; this one has none"),
    ):
        server.reply(b"y", source=stream)


@on_every_datagram_kind
def test_a_fake_takes_the_largest_datagrams(transport: str, concurrency: str) -> None:
    size = 65_507 if transport == "udp" else 65_535
    given: Any = {"transport": transport, "concurrency": concurrency}
    with windsock.serving(**given) as server, server.connect() as client:
        client.send(b"x" * size)

        assert len(server.requests.wait(1)[0].data) == size


def test_a_class_of_the_family_keeps_the_limit_of_socketserver() -> None:
    from windsock.servers import UDPServer

    assert UDPServer.max_packet_size == 8192
