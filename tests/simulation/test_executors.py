"""Thread pools that live longer than a world: in each world they have threads of that world, and then theirs again."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

import pytest

import windsock
from tests.support.waiting import wait_until
from windsock import simulated

WORKERS = 3


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(WORKERS) as pool:
        yield pool


def fetch_many(pool: ThreadPoolExecutor) -> list[bytes]:
    """Make more requests than there are threads."""
    with windsock.serving() as server:
        server.echo()
        address = server.address

        def fetch(number: int) -> bytes:
            with socket.create_connection(address) as client:
                client.sendall(b"hello %d" % number)
                return client.recv(7)

        return list(pool.map(fetch, range(5), timeout=10))


def in_world(number: int) -> AbstractContextManager[object]:
    return simulated(seed=number)


def on_kernel(_number: int) -> AbstractContextManager[object]:
    return nullcontext()


@pytest.mark.parametrize("first", [in_world, on_kernel])
def test_a_pool_works_in_worlds_and_outside_by_turns(pool: ThreadPoolExecutor, first: type) -> None:
    second = on_kernel if first is in_world else in_world
    for number, where in enumerate([first, second] * 3):
        with where(number):
            assert fetch_many(pool) == [b"hello 0", b"hello 1", b"hello 2", b"hello 3", b"hello 4"]


def test_its_waits_are_virtual_though_it_has_idle_threads_from_before(pool: ThreadPoolExecutor) -> None:
    pool.submit(int).result(10)
    with simulated(seed=1) as world:
        pool.submit(time.sleep, 300).result(1000)
        assert world.now == 300


def test_work_that_a_world_has_not_begun_is_not_done_later(pool: ThreadPoolExecutor) -> None:
    done: list[int] = []
    with simulated(seed=1):
        for number in range(WORKERS):
            pool.submit(time.sleep, 1e6 + number)
        pool.submit(done.append, 1)

    assert pool.submit(int).result(10) == 0
    assert done == []


def test_its_own_threads_end_if_it_was_shut_down_in_a_world() -> None:
    pool = ThreadPoolExecutor(WORKERS)
    worker = pool.submit(threading.current_thread).result(10)
    with simulated(seed=1):
        pool.submit(int).result(10)
        pool.shutdown()

    wait_until(lambda: not worker.is_alive())
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(int)


def test_the_names_of_its_threads_are_the_same_in_each_world() -> None:
    names = []
    for _ in range(2):
        with simulated(seed=1), ThreadPoolExecutor(1) as pool:
            names.append(pool.submit(threading.current_thread).result(10).name)

    assert names == ["ThreadPoolExecutor-0_0"] * 2
