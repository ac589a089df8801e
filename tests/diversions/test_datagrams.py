"""Datagrams to a name, and the answers."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import trio

import windsock

WAIT = 5.0


@pytest.fixture
def echo(udp_server: windsock.RunningServer) -> windsock.RunningServer:
    return udp_server.echo()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
def test_the_answer_comes_from_where_the_datagram_was_sent(family: Any, concurrency: Any, serve: Any) -> None:
    server = serve(transport="udp", concurrency=concurrency).echo()
    with (
        windsock.divert({"dns.example:53": server}, others="refuse"),
        socket.socket(family, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(WAIT)
        there = socket.getaddrinfo("dns.example", 53, family, socket.SOCK_DGRAM)[0][4]

        assert client.sendto(b"by name", ("dns.example", 53)) == 7
        assert client.recvfrom(100) == (b"by name", there)
        client.sendto(b"by address", 0, there)
        assert client.recvfrom_into(buffer := bytearray(100)) == (10, there)
        client.sendmsg([b"by ", b"parts"], [], 0, there)
        assert client.recvfrom(100) == (b"by parts", there)

    assert buffer.startswith(b"by address")


@pytest.mark.parametrize(
    ("family", "there"),
    [
        (socket.AF_INET, ("192.0.2.53", 53)),
        (socket.AF_INET6, ("::ffff:192.0.2.53", 53, 0, 0)),
        (socket.AF_INET6, ("2001:db8::53", 53, 0, 0)),
    ],
)
def test_an_ip_address_answers_as_itself(family: Any, there: Any, echo: windsock.RunningServer) -> None:
    names = {"192.0.2.53": echo, "2001:db8::53": echo}
    with windsock.divert(names), socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(WAIT)
        client.sendto(b"x", there)

        assert client.recvfrom(100) == (b"x", there)


def test_a_connected_socket(echo: windsock.RunningServer) -> None:
    with windsock.divert({"dns.example:53": echo}), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(WAIT)
        client.connect(("dns.example", 53))
        client.send(b"x")

        assert client.recv(100) == b"x"
        assert client.getpeername() == echo.address


@pytest.mark.parametrize("is_connected", [True, False])
def test_asyncio(is_connected: bool, echo: windsock.RunningServer) -> None:
    class Client(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.answer.set_result(data)

    async def ask() -> bytes:
        loop = asyncio.get_running_loop()
        where: Any = {"remote_addr": ("dns.example", 53)} if is_connected else {"local_addr": ("127.0.0.1", 0)}
        transport, client = await loop.create_datagram_endpoint(Client, **where)
        transport.sendto(b"x", None if is_connected else ("dns.example", 53))
        try:
            return await asyncio.wait_for(client.answer, WAIT)
        finally:
            transport.close()

    with windsock.divert({"dns.example:53": echo}):
        assert asyncio.run(ask()) == b"x"


def test_trio(echo: windsock.RunningServer) -> None:
    async def ask(host: str) -> tuple[bytes, Any]:
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as client, trio.fail_after(WAIT):
            await client.sendto(b"x", (host, 53))
            return await client.recvfrom(100)

    with windsock.divert({"dns.example:53": echo}):
        assert trio.run(ask, socket.gethostbyname("dns.example"))[0] == b"x"


@pytest.mark.windsock(framing="lines")
def test_a_pair_gets_both_kinds_of_client(tcp_udp_server: windsock.RunningPair) -> None:
    tcp_udp_server.echo()
    with (
        windsock.divert({"dns.example:53": tcp_udp_server}, others="refuse"),
        socket.create_connection(("dns.example", 53), timeout=WAIT) as stream,
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(WAIT)
        client.sendto(b"x", ("dns.example", 53))
        stream.sendall(b"y\n")

        assert (client.recv(100), stream.recv(100)) == (b"x", b"y\n")


def test_a_datagram_within_this_machine_may_be_an_answer_and_is_not_refused() -> None:
    with (
        windsock.divert({}, others="refuse"),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        one.bind(("127.0.0.1", 0))
        two.settimeout(WAIT)
        one.settimeout(WAIT)
        two.sendto(b"x", one.getsockname())
        one.sendto(b"y", one.recvfrom(1)[1])

        assert two.recvfrom(1) == (b"y", one.getsockname())
