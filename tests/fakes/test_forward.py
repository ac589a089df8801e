"""A fake's connection that is handed on to another server: CONNECT, SOCKS, upgrades."""

from __future__ import annotations

import re
import socket
from itertools import product
from typing import Any

import pytest

import windsock
from tests.fakes.helpers import failures_of
from tests.support.servers import (
    STREAMS,
    on_every_concurrency,
    on_every_stream_kind,
    reset,
    rest_of,
    wait_for_end,
    wait_for_error,
)
from tests.support.waiting import wait_until
from windsock import Script
from windsock.harness import CONCURRENCIES
from windsock.servers import StreamRequestHandler

CONNECT = re.compile(rb"^CONNECT (?P<host>[\w.]+):(?P<port>\d+)")
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
BIG = 3_000_000


class Shout(StreamRequestHandler):
    """Answers with what came, in capitals, at the end of the client's stream."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.read().upper())


def connect_to(address: Any) -> bytes:
    return b"CONNECT %s:%d HTTP/1.1\r\n\r\n" % (address[0].encode(), address[1])


def there(match: re.Match[bytes]) -> tuple[str, int]:
    return match["host"].decode(), int(match["port"])


@pytest.mark.parametrize(("transport", "concurrency", "tls"), list(product(STREAMS, CONCURRENCIES, [None, True])))
@pytest.mark.parametrize("onward", STREAMS)
def test_a_connection_is_handed_on_with_its_half_close(transport: str, concurrency: str, tls: Any, onward: str) -> None:
    with (
        windsock.serving(Shout, transport=onward) as target,
        windsock.serving(transport=transport, concurrency=concurrency, tls=tls, framing="lines") as server,
    ):
        server.on(b"GO").forward(target.address, reply=b"OK\n", first=lambda message: message.lower())
        with server.connect() as client:
            client.send(b"GO\nmore").expect(b"OK\n").send(b" and more").half_close()
            client.expect(b"GO\nMORE AND MORE").expect_eof()

        wait_for_end(server)
        assert server.connections[0].upstream == b"GO\nmore and more"
        assert server.connections[0].downstream == b"OK\nGO\nMORE AND MORE"
        assert target.connections[0].upstream == b"go\nmore and more"


@on_every_stream_kind
def test_much_goes_both_ways(transport: str, concurrency: str) -> None:
    with (
        windsock.serving().echo() as target,
        windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server,
    ):
        server.on(b"GO").forward(target.address)
        with server.connect() as client:
            client.send(b"GO\n").send(bytes(BIG)).expect(bytes(BIG)).half_close().expect_eof()

        wait_for_end(server)
        assert len(server.connections[0].upstream) == BIG + 3
        assert len(server.connections[0].downstream) == BIG


@on_every_concurrency
def test_connect_names_the_address(concurrency: str) -> None:
    with (
        windsock.serving().echo() as target,
        windsock.serving(concurrency=concurrency, framing=b"\r\n\r\n") as server,
    ):
        server.on(CONNECT).forward(there, reply=ESTABLISHED)
        with server.connect() as client:
            client.send(connect_to(target.address)).expect(ESTABLISHED).send(b"hello").expect(b"hello")
            client.half_close().expect_eof()


@on_every_concurrency
def test_a_script_of_a_connection_is_handed_on(concurrency: str) -> None:
    with windsock.serving().echo() as target, windsock.serving(concurrency=concurrency) as server:
        server.play(Script().expect(b"\5\1\0").send(b"\5\0").forward(target.address))
        with server.connect() as client:
            client.send(b"\5\1\0").expect(b"\5\0").send(b"hello").expect(b"hello").half_close().expect_eof()


@pytest.mark.parametrize("tls", [None, True])
@on_every_concurrency
def test_a_reset_of_the_client_reaches_the_target(concurrency: str, tls: Any) -> None:
    with windsock.serving() as target, windsock.serving(concurrency=concurrency, framing="lines", tls=tls) as server:
        target.play(Script().expect(b"hello").expect_reset())
        server.on(b"GO").forward(target.address)
        with server.connect() as client:
            client.send(b"GO\nhello")
            wait_until(lambda: [each.upstream for each in target.connections] == [b"hello"])
            client.reset()

        wait_for_end(server)
        assert server.connections[0].ending == "client reset"


@pytest.mark.parametrize("tls", [None, True])
@on_every_concurrency
def test_a_reset_of_the_target_reaches_the_client(concurrency: str, tls: Any) -> None:
    with windsock.serving() as target, windsock.serving(concurrency=concurrency, framing="lines", tls=tls) as server:
        target.play(Script().expect(b"hello").reset())
        server.on(b"GO").forward(target.address)
        with server.connect() as client:
            client.send(b"GO\nhello").expect_reset()

        wait_for_end(server)
        assert "server reset" in "\n".join(server.transcript())


@on_every_concurrency
def test_the_end_of_the_test_ends_what_was_handed_on(concurrency: str) -> None:
    target = windsock.serving().echo()
    server = windsock.serving(concurrency=concurrency, framing="lines")
    server.on(b"GO").forward(target.address)
    with socket.create_connection(server.address, timeout=5) as client:
        client.sendall(b"GO\nhello")
        assert client.recv(5) == b"hello"
        server.finish()
        assert rest_of(client) == b""
    target.finish()


@pytest.mark.parametrize("concurrency", ["threading", "selecting"])
def test_others_are_served_meanwhile(concurrency: str) -> None:
    with (
        windsock.serving().echo() as target,
        windsock.serving(concurrency=concurrency, framing="lines") as server,
    ):
        server.on(b"GO").forward(target.address)
        server.on(b"PING").reply(b"PONG\n")
        with server.connect() as first, server.connect() as second, server.connect() as third:
            first.send(b"GO\none").expect(b"one")
            second.send(b"GO\ntwo").expect(b"two")
            third.send(b"PING\n").expect(b"PONG\n")
            first.send(b"again").expect(b"again").half_close().expect_eof()
            second.send(b"again").expect(b"again").half_close().expect_eof()


@on_every_concurrency
def test_nothing_that_listens_fails_the_test(concurrency: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    server = windsock.serving(concurrency=concurrency, framing="lines")
    server.on(b"GO").forward(address)
    with server.connect() as client:
        client.send(b"GO\n").expect_end()
        wait_for_error(server)

    (failure,) = failures_of(server)
    expected = f"step 1, forward({address!r}): no connection to 127.0.0.1:{address[1]}: Connection refused"
    assert failure.startswith(expected)


def test_a_client_that_resets_before_it_is_handed_on() -> None:
    with windsock.serving() as target, windsock.serving(framing="lines", strict=False) as server:
        target.play_all(Script().expect_end(discard=True))
        server.on(b"GO").play(Script().pause(0.05).forward(target.address))
        client = socket.create_connection(server.address, timeout=5)
        client.sendall(b"GO\n")
        wait_until(lambda: [each.upstream for each in server.connections] == [b"GO\n"])
        reset(client)

        wait_for_end(server)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (80, "forward(80): address 80: expected (host, port) with a port from 1 to 65535"),
        (("127.0.0.1", 0), "forward(('127.0.0.1', 0)): address ('127.0.0.1', 0): expected (host, port)"),
        (lambda: None, "forward(<lambda>): it takes no arguments; expected a function of the message"),
    ],
)
def test_what_is_no_address_is_refused_at_once(address: Any, words: str) -> None:
    with pytest.raises(windsock.UsageError, match=re.escape(words)):
        Script().forward(address)


def test_nothing_follows_and_datagrams_are_not_handed_on() -> None:
    script = Script().forward(("127.0.0.1", 80))
    with pytest.raises(windsock.UsageError, match="this end is gone after forward"):
        script.send(b"x").check(is_datagram=False)
    with pytest.raises(windsock.UsageError, match="that is for streams"):
        script.check(is_datagram=True)


def test_a_client_hands_nothing_on() -> None:
    with (
        windsock.serving() as server,
        server.connect() as client,
        pytest.raises(windsock.UsageError, match="this step is for the scripts of fake servers"),
    ):
        client.forward(server.address)


def test_a_function_that_returns_no_address_fails_the_test() -> None:
    server = windsock.serving(framing="lines")
    server.on(b"GO").forward(lambda message: "")
    with server.connect() as client:
        client.send(b"GO\n")
        wait_for_error(server)

    (failure,) = failures_of(server)
    assert failure.startswith("forward(<lambda>): address '': expected (host, port)")
