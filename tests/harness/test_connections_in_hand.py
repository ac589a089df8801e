"""A test that sends on, and ends, connections that handlers and rules serve, wherever they run."""

from __future__ import annotations

import os
import signal
import socketserver
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

import windsock
from tests.support.handlers import EchoBytes, echo_stream
from tests.support.servers import (
    STREAMS,
    Signal,
    connect,
    on_every_concurrency,
    on_every_datagram_kind,
    rest_of,
)
from tests.support.waiting import wait_until
from windsock import Ending, RunningServer, Script, UsageError
from windsock.harness import CONCURRENCIES
from windsock.servers import StreamRequestHandler

FOREIGN = [socketserver.TCPServer, socketserver.ThreadingTCPServer, socketserver.ForkingTCPServer]
SOON = 0.05
"""Seconds in which nothing happens."""
BULK = bytes(range(256)) * 4096
"""More than the kernel keeps."""
on_every_line = pytest.mark.parametrize(
    ("transport", "concurrency", "relay"), list(product(STREAMS, CONCURRENCIES, [False, True]))
)
on_every_tls = pytest.mark.parametrize(
    ("concurrency", "relay"), list(product([each for each in CONCURRENCIES if each != "forking"], [False, True]))
)


def is_recorded(server: RunningServer, line: str) -> bool:
    return any(line in each for each in server.transcript())


# --- beside handlers


@on_every_line
def test_a_test_sends_beside_a_handler(transport: str, concurrency: str, relay: bool) -> None:
    with windsock.serving(EchoBytes, transport=transport, concurrency=concurrency, relay=relay) as server:
        with server.connect() as client:
            client.send(b"a").expect(b"a")
            server.connections[0].send(b"NEWS")
            client.expect(b"NEWS").send(b"b").expect(b"b")

        server.connections.wait(1)
        assert server.connections[0].downstream == b"aNEWSb"
        assert is_recorded(server, "the test sends 4 B")


@on_every_line
def test_a_test_sends_before_the_client_has_said_anything(transport: str, concurrency: str, relay: bool) -> None:
    with (
        windsock.serving(EchoBytes, transport=transport, concurrency=concurrency, relay=relay) as server,
        server.connect() as client,
    ):
        wait_until(lambda: server.connections)
        server.connections[0].send(b"220 ready")
        client.expect(b"220 ready")


@on_every_line
def test_bulk_arrives_whole(transport: str, concurrency: str, relay: bool) -> None:
    with windsock.serving(EchoBytes, transport=transport, concurrency=concurrency, relay=relay) as server:
        with server.connect() as client:
            client.send(b"a").expect(b"a")
            reading = client.play_in_background(Script().expect(BULK))
            server.connections[0].send(BULK)
            reading.join()

        server.connections.wait(1)
        assert server.connections[0].downstream == b"a" + BULK


@on_every_line
def test_a_test_half_closes(transport: str, concurrency: str, relay: bool) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, relay=relay) as server:
        with server.connect() as client:
            client.send(b"x")
            wait_until(lambda: [each.upstream for each in server.connections] == [b"x"])
            server.connections[0].half_close()
            client.expect_eof().send(b"late")
            wait_until(lambda: server.connections[0].upstream == b"xlate")

        server.connections.wait(1)
        assert server.connections[0].ending is Ending.SERVER_CLOSE


@on_every_line
def test_a_test_closes(transport: str, concurrency: str, relay: bool) -> None:
    with windsock.serving(EchoBytes, transport=transport, concurrency=concurrency, relay=relay) as server:
        with server.connect() as client:
            client.send(b"a").expect(b"a")
            server.connections[0].close()
            client.expect_eof()
            server.connections.wait(1)

        assert server.connections[0].ending is Ending.SERVER_CLOSE
        assert is_recorded(server, "the test: close()")


@on_every_line
def test_a_test_resets(transport: str, concurrency: str, relay: bool) -> None:
    with windsock.serving(EchoBytes, transport=transport, concurrency=concurrency, relay=relay) as server:
        with server.connect() as client:
            client.send(b"a").expect(b"a")
            server.connections[0].reset()
            if transport == "tcp":
                client.expect_reset()
            else:
                client.expect_end()
            server.connections.wait(1)

        assert server.connections[0].ending is (Ending.SERVER_RESET if transport == "tcp" else Ending.SERVER_CLOSE)


@on_every_concurrency
def test_a_test_sends_and_closes_beside_rules(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines") as server:
        server.on(b"PING").reply(b"PONG\n")
        with server.connect() as client:
            client.send(b"PING\n").expect(b"PONG\n")
            server.connections[0].send(b"NEWS\n")
            client.expect(b"NEWS\n")
            server.connections[0].close()
            client.expect_eof()


@on_every_concurrency
def test_a_test_reaches_each_of_several_connections(concurrency: str) -> None:
    if concurrency == "sync":
        pytest.skip("it serves one connection at a time")
    with (
        windsock.serving(EchoBytes, concurrency=concurrency) as server,
        server.connect() as one,
        server.connect() as two,
    ):
        for client in (one, two):
            client.send(b"a").expect(b"a")
        for connection in server.connections:
            connection.send(b"%d" % connection.index)
        one.expect(b"0")
        two.expect(b"1")
        server.connections[0].reset()
        one.expect_reset()
        two.send(b"b").expect(b"b")


# --- TLS


@on_every_tls
def test_a_test_sends_and_closes_under_tls(concurrency: str, relay: bool) -> None:
    with windsock.serving(EchoBytes, concurrency=concurrency, tls=True, relay=relay) as server:
        with server.connect() as client:
            wait_until(lambda: server.connections)
            server.connections[0].send(b"NEWS")
            client.expect(b"NEWS").send(b"a").expect(b"a")
            server.connections[0].close()
            client.expect_eof()

        server.connections.wait(1)
        assert server.connections[0].downstream == b"NEWSa"


@on_every_tls
def test_a_test_resets_under_tls(concurrency: str, relay: bool) -> None:
    with (
        windsock.serving(EchoBytes, concurrency=concurrency, tls=True, relay=relay) as server,
        server.connect() as client,
    ):
        client.send(b"a").expect(b"a")
        server.connections[0].reset()
        client.expect_reset()


def test_only_a_forked_child_has_the_keys_of_its_tls() -> None:
    with windsock.serving(EchoBytes, concurrency="forking", tls=True) as server, server.connect() as client:
        client.send(b"a").expect(b"a")
        with pytest.raises(UsageError, match=r"speaks TLS on connection #0, and only it has the keys; use another"):
            server.connections[0].send(b"x")
        server.connections[0].reset()
        client.expect_reset()


@pytest.mark.parametrize("relay", [False, True])
@pytest.mark.parametrize("tls", [None, True])
def test_a_test_sends_beside_an_async_handler(tls: Any, relay: bool) -> None:
    with windsock.serving(echo_stream, tls=tls, relay=relay) as server:
        with server.connect() as client:
            client.send(b"a").expect(b"a")
            server.connections[0].send(b"NEWS")
            client.expect(b"NEWS").send(b"b").expect(b"b")
            server.connections[0].close()
            client.expect_end()

        server.connections.wait(1)
        assert server.connections[0].downstream == b"aNEWSb"


def test_the_tls_stream_of_an_async_handler_cannot_be_half_closed() -> None:
    with windsock.serving(echo_stream, tls=True) as server, server.connect() as client:
        client.send(b"a").expect(b"a")
        with pytest.raises(UsageError, match="cannot end in one direction only"):
            server.connections[0].half_close()
        server.connections[0].reset()
        client.expect_reset()


# --- datagrams


@pytest.mark.parametrize("relay", [False, True])
@on_every_datagram_kind
def test_a_test_sends_another_datagram_to_a_client(transport: str, concurrency: str, relay: bool) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, relay=relay) as server:
        server.on(b"?").reply(b"!")
        with server.connect() as client:
            client.send(b"?").expect(b"!")
            server.connections[0].send(b"late")
            client.expect(b"late")

        assert server.connections[0].downstream == b"!late"


@pytest.mark.parametrize("how", ["half_close", "close", "reset"])
def test_a_datagram_has_no_connection_to_end(how: str) -> None:
    with windsock.serving(transport="udp") as server, server.connect() as client:
        client.send(b"x")
        wait_until(lambda: server.connections)
        with pytest.raises(UsageError, match=rf"{how}\(\): #0 is a datagram, which has no connection"):
            getattr(server.connections[0], how)()


# --- errors


@pytest.fixture
def gate() -> Iterator[Signal]:
    made = Signal()
    yield made
    made.close()


@on_every_concurrency
def test_a_connection_that_has_ended_says_so(concurrency: str) -> None:
    with windsock.serving(EchoBytes, concurrency=concurrency) as server:
        with connect(server) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
        (connection,) = server.connections.wait(1)
        for act in (connection.half_close, connection.close, connection.reset):
            with pytest.raises(windsock.ConnectionEnded, match=r"\(\): connection #0 has ended \(client EOF\)"):
                act()
        with pytest.raises(windsock.ConnectionEnded, match=r"send\(...\): connection #0 has ended \(client EOF\)"):
            connection.send(b"x")


def test_a_connection_of_a_stopped_server_says_so() -> None:
    with windsock.serving(EchoBytes) as server, connect(server):
        wait_until(lambda: server.connections)
        connection = server.connections[0]
        server.stop()
        with pytest.raises(UsageError, match="as its server was stopped"):
            connection.send(b"x")


def test_a_connection_of_a_proxy_says_so() -> None:
    with (
        windsock.serving(EchoBytes) as server,
        windsock.proxy(server.address) as proxy,
        windsock.scripted_client(proxy.address) as client,
    ):
        client.send(b"a").expect(b"a")
        with pytest.raises(UsageError, match="as it is a proxy's"):
            proxy.connections[0].send(b"x")


@pytest.mark.parametrize("data", [b"", "text", None, 3])
def test_what_is_no_bytes_is_refused(data: Any) -> None:
    with windsock.serving(EchoBytes) as server, server.connect() as client:
        client.send(b"a").expect(b"a")
        with pytest.raises(UsageError, match="expected the bytes to send"):
            server.connections[0].send(data)
        with pytest.raises(UsageError, match="expected seconds, 0 or more"):
            server.connections[0].send(b"x", timeout=-1)


@on_every_concurrency
def test_a_client_that_does_not_read_is_waited_for_until_the_deadline(concurrency: str) -> None:
    with windsock.serving(EchoBytes, concurrency=concurrency) as server, connect(server) as client:
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        with pytest.raises(windsock.WaitTimeout, match=r"connection #0: \d+ of \d+ bytes were taken within 0.05 s"):
            server.connections[0].send(BULK * 16, timeout=SOON)
        assert not server.connections[0].closed


def test_a_child_that_was_killed_has_ended() -> None:
    with windsock.serving(EchoBytes, concurrency="forking") as server, server.connect() as client:
        client.send(b"a").expect(b"a")
        connection = server.connections[0]
        assert connection.pid is not None
        os.kill(connection.pid, signal.SIGKILL)
        client.expect_end()
        with pytest.raises(windsock.ConnectionEnded):
            wait_until(lambda: connection.send(b"x"))
        server.errors.take()


def test_a_handler_that_waits_for_something_else_is_interrupted_and_goes_on(gate: Signal) -> None:
    class Waits(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"ready")
            gate.wait()
            self.wfile.write(b"done")

    with windsock.serving(Waits, concurrency="forking") as server, connect(server) as client:
        assert client.recv(5) == b"ready"
        server.connections[0].send(b"NEWS")
        assert client.recv(4) == b"NEWS"
        gate.set()
        assert rest_of(client) == b"done"


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_test_reaches_connections_of_a_class_of_another_family(kind: type[Any]) -> None:
    with windsock.serving(kind, EchoBytes) as server, server.connect() as client:
        client.send(b"a").expect(b"a")
        server.connections[0].send(b"NEWS")
        client.expect(b"NEWS")
        server.connections[0].reset()
        client.expect_reset()
