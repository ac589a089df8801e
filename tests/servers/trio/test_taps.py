"""What is recorded of streams: all that passed, and nothing that did not."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
import trio
import trio.testing

import windsock
from tests.support.handlers import EchoStream
from tests.support.servers import connect, exchange, rest_of
from tests.support.waiting import DEADLINE

MORE_THAN_FITS = bytes(range(256)) * 64 * 1024
"""16 MiB: no pair of socket buffers takes it all."""


def serving(handler: Any, **options: Any) -> windsock.RunningServer:
    return windsock.serving(handler, concurrency="trio", **options)


def test_what_a_cancelled_send_left_behind_is_not_recorded() -> None:
    class Impatient(EchoStream):
        async def handle(self) -> None:
            with trio.move_on_after(0.05):
                await self.stream.send_all(MORE_THAN_FITS)
            is_over.set()

    is_over = threading.Event()
    with serving(Impatient) as server, connect(server) as client:
        assert is_over.wait(DEADLINE)
        received = rest_of(client)
        assert 0 < len(received) < len(MORE_THAN_FITS)
        assert server.connections[0].downstream == received


def test_two_tasks_that_send_at_once_are_told_as_trio_tells_them() -> None:
    told: list[type[BaseException]] = []

    class Twice(EchoStream):
        async def handle(self) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.stream.send_all, MORE_THAN_FITS)
                await trio.testing.wait_all_tasks_blocked(0.01)
                try:
                    await self.stream.send_all(b"me too")
                except trio.BusyResourceError as error:
                    told.append(type(error))
                    is_told.set()

    is_told = threading.Event()
    with serving(Twice) as server, connect(server) as client:
        assert is_told.wait(DEADLINE)
        assert rest_of(client) == MORE_THAN_FITS
        assert server.connections[0].downstream == MORE_THAN_FITS
    assert told == [trio.BusyResourceError]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_bytes_is_sent_and_recorded(kind: Any) -> None:
    data = kind(b"x" * 600_000)

    class Sends(EchoStream):
        async def handle(self) -> None:
            await self.stream.send_all(data)
            await self.stream.send_all(b"")

    with serving(Sends) as server, connect(server) as client:
        assert rest_of(client) == bytes(data)
        assert server.connections[0].downstream == bytes(data)


def test_the_trio_socket_below_is_recorded_too() -> None:
    class Low(EchoStream):
        async def handle(self) -> None:
            low = self.stream.socket
            assert await low.recv(2, socket.MSG_PEEK) == b"he"
            buffer = bytearray(10)
            size = await low.recv_into(buffer)
            assert await low.send(memoryview(buffer)[:size]) == size
            low.shutdown(socket.SHUT_WR)
            low.close()

    with serving(Low) as server:
        assert exchange(server, b"hello") == b"hello"
    connection = server.connections[0]
    assert (connection.upstream, connection.downstream) == (b"hello", b"hello")
    assert connection.ending == "server close"


def test_a_closed_stream_says_so_as_trio_says_it() -> None:
    told: list[str] = []

    class Closed(EchoStream):
        async def handle(self) -> None:
            await self.stream.send_eof()
            for step in (lambda: self.stream.send_all(b"x"), self.stream.aclose, self.stream.receive_some):
                try:
                    await step()
                except trio.ClosedResourceError as error:
                    told.append(str(error))
            is_over.set()

    is_over = threading.Event()
    with serving(Closed) as server, connect(server) as client:
        assert rest_of(client) == b""
        assert is_over.wait(DEADLINE)
    assert told == ["can't send data after sending EOF", "this socket was already closed"]
    assert server.connections[0].downstream == b""


def test_closing_wakes_a_task_that_receives() -> None:
    told: list[type[BaseException]] = []

    class Closes(EchoStream):
        async def handle(self) -> None:
            async def receive() -> None:
                try:
                    await self.stream.receive_some()
                except trio.ClosedResourceError as error:
                    told.append(type(error))
                    is_over.set()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive)
                await trio.testing.wait_all_tasks_blocked(0.01)
                await self.stream.aclose()

    is_over = threading.Event()
    with serving(Closes) as server, connect(server) as client:
        assert rest_of(client) == b""
        assert is_over.wait(DEADLINE)
    assert told == [trio.ClosedResourceError]


def test_framing_tells_exchanges_apart() -> None:
    with serving(EchoStream, framing="lines") as server, connect(server) as client:
        for line in (b"one\n", b"two\n"):
            client.sendall(line)
            assert client.recv(100) == line
        requests = server.requests.wait(2)
    assert [(each.data, each.reply) for each in requests] == [(b"one\n", b"one\n"), (b"two\n", b"two\n")]
