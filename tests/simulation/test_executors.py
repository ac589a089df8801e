"""Thread pools that live longer than a world: in each world they have threads of that world, and then theirs again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.thread import BrokenThreadPool
from contextlib import AbstractContextManager, nullcontext

import pytest

import windsock
from tests.support.waiting import DEADLINE, wait_until
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


def test_what_was_given_to_it_in_a_world_is_done_at_its_end(pool: ThreadPoolExecutor) -> None:
    done: list[int] = []

    def work(number: int) -> None:
        time.sleep(1)
        done.append(number)

    with simulated(seed=1):
        for number in range(2 * WORKERS):
            pool.submit(work, number)

    assert sorted(done) == list(range(2 * WORKERS))


def test_other_threads_and_the_outside_have_threads_of_their_own(pool: ThreadPoolExecutor) -> None:
    is_over, real = threading.Event(), list[str]()
    idents = {pool.submit(threading.get_ident).result(10)}

    def submit() -> None:
        while not is_over.is_set():
            real.append(type(pool.submit(threading.get_ident).result(10)).__name__)

    thread = threading.Thread(target=submit)
    thread.start()
    with simulated(seed=1) as world:
        for _ in range(50):
            pool.submit(time.sleep, 10).result(100)
        assert world.now == 500
        with world.outside():
            idents.add(pool.submit(threading.get_ident).result(10))
        pool.submit(time.sleep, 10).result(100)
    is_over.set()
    thread.join(10)

    assert set(real) == {"int"}
    assert idents <= {each.ident for each in threading.enumerate()}


@pytest.mark.parametrize("made", ["before", "in it"])
def test_one_that_is_shut_down_takes_no_work(made: str) -> None:
    before = ThreadPoolExecutor(1)
    before.shutdown()
    with simulated(seed=1):
        pool = before if made == "before" else ThreadPoolExecutor(1)
        pool.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            pool.submit(int)

    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(int)


def test_an_initializer_that_fails_in_a_world_breaks_nothing_after_it(caplog: pytest.LogCaptureFixture) -> None:
    fails: list[bool] = []

    def begin() -> None:
        if fails:
            raise ValueError("no connection")

    with ThreadPoolExecutor(1, initializer=begin) as pool:
        fails.append(True)
        with simulated(seed=1), pytest.raises(BrokenThreadPool):
            pool.submit(int).result(10)
        fails.clear()

        assert pool.submit(int).result(10) == 0
    assert "no connection" in caplog.text  # as the pool itself reports it


STUBBORN = """
import time
from concurrent.futures import ThreadPoolExecutor
import windsock

def stay():
    while True:
        try:
            time.sleep(1e7)
        except BaseException:
            pass

pool = ThreadPoolExecutor(1)
try:
    with windsock.simulated(seed=1):
        pool.submit(stay)
except windsock.StillRunning as error:
    print(error)
print(pool.submit(int).result(10))
"""


def test_a_thread_of_one_that_does_not_end_keeps_the_process_from_ending_no_longer() -> None:
    run = subprocess.run(
        [sys.executable, "-c", STUBBORN],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=3 * DEADLINE,
        check=False,
    )

    assert run.stdout.splitlines()[-1] == "0"
    assert "still running: ThreadPoolExecutor-0_0" in run.stdout
    assert run.returncode == 0


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
