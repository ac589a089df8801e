"""Scripted clients for trio: the same steps, on trio's clock, cancelled as trio users expect."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing

import windsock
from tests.support.handlers import UpperLines
from windsock import ScriptTimeout


def run(main: Callable[[], Awaitable[object]]) -> None:
    """Run it, for a few seconds at the most."""

    async def bounded() -> None:
        with trio.fail_after(10):
            await main()

    trio.run(bounded)


def test_a_mock_clock_moves_it() -> None:
    begun: list[float] = []
    clock = trio.testing.MockClock()

    async def main() -> None:
        async with server.connect_trio(timeout=1000) as client:
            clock.autojump_threshold = 0.01
            begun.append(trio.current_time())
            await client.pause(3600)
            with pytest.raises(ScriptTimeout, match="nothing came within 1"):
                await client.expect(b"x")
            begun.append(trio.current_time())

    with windsock.serving() as server:
        trio.run(main, clock=clock)

    assert begun[1] - begun[0] == pytest.approx(4600)


def test_who_is_cancelled_while_sending_has_a_closed_client() -> None:
    class Deaf(UpperLines):
        def handle(self) -> None:
            done.wait(5)

    done = threading.Event()

    async def main() -> None:
        async with server.connect_trio(send_buffer=4096) as client:
            with trio.move_on_after(0.05):
                await client.send(bytes(20_000_000))
            assert client.outcome == "closed"
        done.set()

    with windsock.serving(Deaf, strict=False) as server:
        run(main)


@contextmanager
def deaf_with_tls() -> Iterator[windsock.RunningServer]:
    """A server that takes nothing."""
    done = threading.Event()

    class Deaf(UpperLines):
        def handle(self) -> None:
            done.wait(10)

    with windsock.serving(Deaf, tls=True, strict=False) as server:
        try:
            yield server
        finally:
            done.set()


def test_tls_that_the_other_end_takes_no_end_of_is_closed_after_a_second() -> None:
    seconds: list[float] = []
    clock = trio.testing.MockClock()

    async def main() -> None:
        client = server.connect_trio(send_buffer=4096, timeout=100)
        async with client:
            clock.autojump_threshold = 0.05  # the handshake may take its time
            with pytest.raises(ScriptTimeout):
                await client.send(bytes(20_000_000))
            begun = trio.current_time()
        seconds.append(trio.current_time() - begun)
        assert client.socket.fileno() == -1

    with deaf_with_tls() as server:
        trio.run(main, clock=clock)

    assert seconds == [pytest.approx(1.0)]


def test_who_is_cancelled_while_tls_is_closed_does_not_wait() -> None:
    async def main() -> None:
        async with server.connect_trio(send_buffer=4096, timeout=0.2) as client:
            with pytest.raises(ScriptTimeout):
                await client.send(bytes(20_000_000))
            with trio.move_on_after(0) as scope:
                await client.aclose()

            assert scope.cancelled_caught
            assert client.socket.fileno() == -1

    with deaf_with_tls() as server:
        run(main)
