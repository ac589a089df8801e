"""Waits of a world take exactly the time that they were asked for, so that a test may compare with `==`."""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import trio

import windsock
from windsock import faults
from windsock.net.system import selectors as own_selectors
from windsock.simulation import World, simulated


@pytest.fixture
def world() -> Iterator[World]:
    with simulated(seed=7) as world:
        yield world


def with_timeout(seconds: float) -> None:
    first, second = socket.socketpair()
    first.settimeout(seconds)
    with first, second, pytest.raises(TimeoutError):
        first.recv(1)


def with_selector(kind: type[selectors.BaseSelector]) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        first, second = socket.socketpair()
        with first, second, kind() as selector:
            selector.register(first, selectors.EVENT_READ)
            assert not selector.select(seconds)

    return wait


WAITS: dict[str, Callable[[float], object]] = {
    "sleep": lambda seconds: time.sleep(seconds),
    "event": lambda seconds: threading.Event().wait(seconds),
    "lock": lambda seconds: [lock := threading.Lock(), lock.acquire(), lock.acquire(timeout=seconds)],
    "socket": with_timeout,
    "asyncio": lambda seconds: asyncio.run(asyncio.sleep(seconds)),
    "trio": lambda seconds: trio.run(trio.sleep, seconds),
    "poll": with_selector(selectors.PollSelector),
    "epoll": with_selector(selectors.EpollSelector),
    "own poll": with_selector(own_selectors.PollSelector),
}


@pytest.mark.parametrize("seconds", [5, 0.1, 0.3, 0.0001])
@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_a_wait_is_exact(world: World, wait: Callable[[float], object], seconds: float) -> None:
    wait(seconds)

    assert world.now == seconds


def test_waits_add_up_as_numbers_on_paper_do(world: World) -> None:
    for _ in range(3):
        time.sleep(0.1)

    assert world.now == 0.3


def ask(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"y"


@pytest.mark.parametrize("concurrency", ["sync", "threading", "selecting", "trio"])
def test_the_delay_of_a_reply_is_exact(world: World, concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.on(b"x").reply(b"y", delay=5)
        ask(server.address)

        assert world.now == 5


@pytest.mark.parametrize("concurrency", ["sync", "threading", "selecting", "trio"])
def test_the_delay_of_a_fault_is_exact(world: World, concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, faults=[faults.Delay(5)]) as server:
        server.on(b"x").reply(b"y")
        ask(server.address)

        assert world.now == 10


def test_the_delay_of_a_proxy_is_exact(world: World) -> None:
    with windsock.serving() as server, windsock.proxy(server.address, faults=[faults.Delay(5)]) as proxy:
        server.on(b"x").reply(b"y")
        ask(proxy.address)

        assert world.now == 10
