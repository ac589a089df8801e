"""A client that has left is no error of its handler; what the handler's other connections raise is one all the same."""

from __future__ import annotations

import contextlib
import socket
from itertools import product
from typing import Any

import pytest
import trio

import windsock
from tests.support.servers import STREAMS, wait_for_error
from tests.support.waiting import DEADLINE
from windsock import servers
from windsock.harness import CONCURRENCIES

WAYS = [*product(STREAMS, CONCURRENCIES, ("direct", "relayed", "tls"))]


def ask_a_database_that_is_gone() -> None:
    database, its_end = socket.socketpair()
    with database:
        its_end.close()
        database.sendall(b"SELECT 1")


def options_of(way: str) -> dict[str, Any]:
    return {"relay": way == "relayed", "tls": way == "tls"}


def send_and_leave(server: windsock.RunningServer) -> None:
    client = server.connect()
    client.send(b"bad\n").expect(b"ready\n")
    client.reset()


@pytest.mark.parametrize(("transport", "concurrency", "way"), WAYS)
def test_an_error_of_another_connection_is_recorded_though_the_client_has_left(
    transport: str, concurrency: str, way: str
) -> None:
    class Handler(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(100)
            self.request.sendall(b"ready\n")
            with contextlib.suppress(OSError):
                while self.request.recv(100):
                    pass
            ask_a_database_that_is_gone()

    with windsock.serving(Handler, transport=transport, concurrency=concurrency, **options_of(way)) as server:
        send_and_leave(server)
        server.connections.wait(1, timeout=DEADLINE)
        wait_for_error(server)

        assert [type(each) for each in server.errors.take()] == [BrokenPipeError]


@pytest.mark.parametrize(("transport", "concurrency", "way"), WAYS)
def test_an_error_of_its_own_connection_is_the_clients_doing(transport: str, concurrency: str, way: str) -> None:
    class Handler(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(100)
            self.request.sendall(b"ready\n")
            while True:
                self.request.sendall(b"more\n")

    with windsock.serving(Handler, transport=transport, concurrency=concurrency, **options_of(way)) as server:
        send_and_leave(server)
        server.connections.wait(1, timeout=DEADLINE)
        server.finish()

        assert not server.errors


@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize("way", ["direct", "relayed", "tls"])
@pytest.mark.parametrize("is_own", [False, True], ids=["another", "its own"])
def test_an_async_handler_is_judged_alike(transport: str, way: str, is_own: bool) -> None:
    class Handler(servers.BaseRequestHandler):
        async def handle(self) -> None:
            stream: Any = self.stream
            await stream.receive_some(100)
            await stream.send_all(b"ready\n")
            if is_own:
                while True:
                    await stream.send_all(b"more\n")
            with contextlib.suppress(trio.BrokenResourceError):
                while await stream.receive_some(100):
                    pass
            ask_a_database_that_is_gone()

    with windsock.serving(Handler, transport=transport, **options_of(way)) as server:
        send_and_leave(server)
        server.connections.wait(1, timeout=DEADLINE)
        server.drain()

        assert [type(each) for each in server.errors.take()] == ([] if is_own else [BrokenPipeError])
