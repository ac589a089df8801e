"""Accepted connections in event loops: `async with server.accept_asyncio()`, awaited steps, cancellation, TLS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

import anyio
import pytest

import windsock
from tests.support.async_loops import LOOPS, run_in
from tests.support.servers import STREAMS, on_every_datagram_kind
from tests.support.waiting import wait_until
from windsock import ScriptMismatch, UsageError
from windsock.harness import CONCURRENCIES

SOON = 0.05
"""Seconds in which nothing happens."""
on_every_stream_and_tls = pytest.mark.parametrize(
    ("transport", "concurrency", "tls"), list(product(STREAMS, CONCURRENCIES, [None, True]))
)


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    """An event loop to run the tasks of a test in."""
    return str(request.param)


class Server:
    """The methods of a server for the library of an event loop."""

    def __init__(self, server: windsock.RunningServer, loop: str) -> None:
        self.library = "trio" if loop == "trio" else "asyncio"
        self.accept: Any = getattr(server, f"accept_{self.library}")
        self.connect: Any = getattr(server, f"connect_{self.library}")


def run(main: Callable[[Server], Awaitable[None]], server: windsock.RunningServer, loop: str) -> None:
    """Run a test's tasks, in time."""
    run_in(loop, lambda: main(Server(server, loop)))


@on_every_stream_and_tls
def test_a_conversation_in_one_task(transport: str, concurrency: str, tls: Any, loop: str) -> None:
    async def main(server: Server) -> None:
        peer_to_come = server.accept()
        async with server.connect() as client, peer_to_come as peer:
            await client.send(b"PING\r\n")
            await peer.expect(b"PING\r\n")
            await peer.send(b"PONG\r\n")
            await client.expect(b"PONG\r\n")
            await peer.send(b"NEWS")
            await peer.half_close()
            await client.expect(b"NEWS")
            await client.expect_eof()

    with windsock.serving(transport=transport, concurrency=concurrency, tls=tls) as server:
        run(main, server, loop)
        (connection,) = server.connections.wait(1)
        assert (connection.upstream, connection.downstream) == (b"PING\r\n", b"PONG\r\nNEWS")


@on_every_datagram_kind
def test_a_conversation_of_datagrams_in_one_task(transport: str, concurrency: str, loop: str) -> None:
    async def main(server: Server) -> None:
        peer_to_come = server.accept()
        async with server.connect() as client:
            await client.send(b"1")
            async with peer_to_come as peer:
                assert peer.peer == client.address
                await peer.expect(b"1")
                await client.send(b"2")
                await peer.expect(b"2")
                await peer.send(b"3")
                await client.expect(b"3")

    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        run(main, server, loop)


def test_a_peer_that_waits_lets_other_tasks_run(loop: str) -> None:
    async def accept(server: Server, peer_to_come: Any) -> None:
        async with peer_to_come as peer:
            await peer.expect(b"STARTTLS\n")
            await peer.send(b"go\n")
            await peer.start_tls()
            await peer.expect(b"secret")
            await peer.send(b"kept")

    async def main(server: Server) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(accept, server, server.accept())
            await anyio.wait_all_tasks_blocked()
            async with server.connect() as client:
                await client.send(b"STARTTLS\n")
                await client.expect(b"go\n")
                await client.start_tls()
                await client.send(b"secret")
                await client.expect(b"kept")

    with windsock.serving(tls="starttls") as server:
        run(main, server, loop)
        assert server.connections[0].upstream == b"STARTTLS\nsecret"


def test_a_client_that_never_comes(loop: str) -> None:
    async def main(server: Server) -> None:
        async with server.accept(timeout=SOON):
            raise AssertionError("it was entered")

    with windsock.serving() as server, pytest.raises(windsock.AcceptTimeout) as caught:
        run(main, server, loop)
    call = f"accept_{'trio' if loop == 'trio' else 'asyncio'}()"
    assert str(caught.value) == f"{call}: no client came for it within 0.05 s; what came: no client at all"


def test_a_wait_that_is_cancelled_leaves_the_client_to_the_next_one(loop: str) -> None:
    async def main(server: Server) -> None:
        with anyio.move_on_after(SOON) as scope:
            async with server.accept():
                raise AssertionError("it was entered")
        assert scope.cancelled_caught
        async with server.connect() as client, server.accept() as peer:
            await peer.send(b"hi")
            await client.expect(b"hi")

    with windsock.serving() as server:
        run(main, server, loop)


def test_what_was_not_expected_fails_at_the_end(loop: str) -> None:
    async def main(server: Server) -> None:
        peer_to_come = server.accept()
        async with server.connect() as client, peer_to_come as peer:
            await client.send(b"ab")
            await peer.expect(b"a")

    with windsock.serving() as server, pytest.raises(ScriptMismatch, match=r"step 2, close\(\): more came than was"):
        run(main, server, loop)


def test_the_loop_of_another_library_says_which_accept_to_use(loop: str) -> None:
    async def main(server: Server) -> None:
        wrong, right = ("accept_asyncio", "accept_trio") if loop == "trio" else ("accept_trio", "accept_asyncio")
        with pytest.raises(UsageError, match=rf"^{wrong}\(\): .* use {right}\(\)$"):
            async with getattr(running, wrong)():
                raise AssertionError("it is accepted")

    with windsock.serving(strict=False) as running:
        run(main, running, loop)


def test_a_step_after_the_end_and_one_before_it_say_so(loop: str) -> None:
    async def main(server: Server) -> None:
        peer = server.accept()
        with pytest.raises(UsageError, match="is not connected"):
            await peer.send(b"x")
        async with server.connect(), peer:
            pass
        with pytest.raises(UsageError, match="this connection is closed; accept the next one"):
            await peer.send(b"x")

    with windsock.serving() as server:
        run(main, server, loop)


def test_a_test_that_fails_leaves_nothing_behind(loop: str) -> None:
    async def main(server: Server) -> None:
        peer_to_come = server.accept()
        async with server.connect(), peer_to_come:
            raise ZeroDivisionError

    with windsock.serving() as server:
        with pytest.raises(ZeroDivisionError):
            run(main, server, loop)
        wait_until(lambda: server.connections[0].closed is not None)


def test_a_wait_that_blocks_the_loop_says_so_at_once(loop: str) -> None:
    async def main(own: Server) -> None:
        with pytest.raises(windsock.BlocksLoop) as caught, server.accept():
            raise AssertionError("it was entered")
        assert caught.value.instead == f"async with server.accept_{own.library}() as peer"

    with windsock.serving() as server:
        run(main, server, loop)
