"""Accepted connections in trio: `async with server.accept_trio() as peer`, awaited steps, cancellation, TLS."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import trio

import windsock
from tests.support.servers import STREAMS, on_every_datagram_kind
from tests.support.waiting import DEADLINE, wait_until
from windsock import ScriptMismatch, UsageError
from windsock.harness import CONCURRENCIES

SOON = 0.05
"""Seconds in which nothing happens."""
on_every_stream_and_tls = pytest.mark.parametrize(
    ("transport", "concurrency", "tls"), list(product(STREAMS, CONCURRENCIES, [None, True]))
)


def run(main: Any, *args: Any) -> Any:
    """Run a test's tasks, in time."""

    async def bounded() -> Any:
        with trio.fail_after(DEADLINE):
            return await main(*args)

    return trio.run(bounded)


@on_every_stream_and_tls
def test_a_conversation_in_one_task(transport: str, concurrency: str, tls: Any) -> None:
    async def main(server: windsock.RunningServer) -> None:
        peer_to_come = server.accept_trio()
        async with server.connect_trio() as client, peer_to_come as peer:
            await client.send(b"PING\r\n")
            await peer.expect(b"PING\r\n")
            await peer.send(b"PONG\r\n")
            await client.expect(b"PONG\r\n")
            await peer.send(b"NEWS")
            await peer.half_close()
            await client.expect(b"NEWS")
            await client.expect_eof()

    with windsock.serving(transport=transport, concurrency=concurrency, tls=tls) as server:
        run(main, server)
        (connection,) = server.connections.wait(1)
        assert (connection.upstream, connection.downstream) == (b"PING\r\n", b"PONG\r\nNEWS")


@on_every_datagram_kind
def test_a_conversation_of_datagrams_in_one_task(transport: str, concurrency: str) -> None:
    async def main(server: windsock.RunningServer) -> None:
        peer_to_come = server.accept_trio()
        async with server.connect_trio() as client:
            await client.send(b"1")
            async with peer_to_come as peer:
                assert peer.peer == client.address
                await peer.expect(b"1")
                await client.send(b"2")
                await peer.expect(b"2")
                await peer.send(b"3")
                await client.expect(b"3")

    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        run(main, server)


def test_a_peer_that_waits_lets_other_tasks_run() -> None:
    async def accept(server: windsock.RunningServer, peer_to_come: windsock.TrioPeer) -> None:
        async with peer_to_come as peer:
            await peer.expect(b"STARTTLS\n")
            await peer.send(b"go\n")
            await peer.start_tls()
            await peer.expect(b"secret")
            await peer.send(b"kept")

    async def main(server: windsock.RunningServer) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept, server, server.accept_trio())
            await trio.testing.wait_all_tasks_blocked()
            async with server.connect_trio() as client:
                await client.send(b"STARTTLS\n")
                await client.expect(b"go\n")
                await client.start_tls()
                await client.send(b"secret")
                await client.expect(b"kept")

    with windsock.serving(tls="starttls") as server:
        run(main, server)
        assert server.connections[0].upstream == b"STARTTLS\nsecret"


def test_a_client_that_never_comes() -> None:
    async def main(server: windsock.RunningServer) -> None:
        async with server.accept_trio(timeout=SOON):
            raise AssertionError("it was entered")

    with windsock.serving() as server, pytest.raises(windsock.AcceptTimeout) as caught:
        run(main, server)
    assert str(caught.value) == "accept_trio(): no client came for it within 0.05 s; what came: no client at all"


def test_a_wait_that_is_cancelled_leaves_the_client_to_the_next_one() -> None:
    async def main(server: windsock.RunningServer) -> None:
        with trio.move_on_after(SOON) as scope:
            async with server.accept_trio():
                raise AssertionError("it was entered")
        assert scope.cancelled_caught
        async with server.connect_trio() as client, server.accept_trio() as peer:
            await peer.send(b"hi")
            await client.expect(b"hi")

    with windsock.serving() as server:
        run(main, server)


def test_what_was_not_expected_fails_at_the_end() -> None:
    async def main(server: windsock.RunningServer) -> None:
        peer_to_come = server.accept_trio()
        async with server.connect_trio() as client, peer_to_come as peer:
            await client.send(b"ab")
            await peer.expect(b"a")

    with windsock.serving() as server, pytest.raises(ScriptMismatch, match=r"step 2, close\(\): more came than was"):
        run(main, server)


def test_a_step_after_the_end_and_one_before_it_say_so() -> None:
    async def main(server: windsock.RunningServer) -> None:
        peer = server.accept_trio()
        with pytest.raises(UsageError, match="is not connected"):
            await peer.send(b"x")
        async with server.connect_trio(), peer:
            pass
        with pytest.raises(UsageError, match="this connection is closed; accept the next one"):
            await peer.send(b"x")

    with windsock.serving() as server:
        run(main, server)


def test_a_test_that_fails_leaves_nothing_behind() -> None:
    async def main(server: windsock.RunningServer) -> None:
        peer_to_come = server.accept_trio()
        async with server.connect_trio(), peer_to_come:
            raise ZeroDivisionError

    with windsock.serving() as server:
        with pytest.raises(ZeroDivisionError):
            run(main, server)
        wait_until(lambda: server.connections[0].closed is not None)
