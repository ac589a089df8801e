"""Event loops that wait for nothing, or for a long time."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from functools import partial

import pytest
import trio

from windsock.simulation import Deadlock, simulated

HERE = os.path.relpath(__file__)
WEEK = 7 * 24 * 3600.0


def test_a_loop_of_trio_that_waits_for_nothing_is_a_deadlock_at_once() -> None:
    with pytest.raises(Deadlock) as caught, simulated(seed=1):
        trio.run(trio.sleep_forever)

    assert caught.value.now == 0
    assert caught.value.waits[0].startswith("main waits for a descriptor to be ready, since 0 s, at ")


def test_a_deadlock_ends_all_tasks_of_trio_in_order() -> None:
    ended: list[str] = []

    async def wait(name: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(name)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, "first")
            nursery.start_soon(wait, "second")

    with pytest.raises(ExceptionGroup) as caught, simulated(seed=1):
        trio.run(main)

    assert caught.group_contains(Deadlock)
    assert sorted(ended) == ["first", "second"]


def test_a_deadlock_of_a_thread_that_trio_waits_for_is_raised_too() -> None:
    async def main() -> None:
        lock = threading.Lock()  # of the world: for one from outside it would wait some real seconds
        lock.acquire()
        await trio.to_thread.run_sync(lock.acquire)

    with pytest.raises(Deadlock, match="waits for a lock"), simulated(seed=1):
        trio.run(main)


def test_a_loop_of_asyncio_that_waits_for_nothing_is_a_deadlock_at_once() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match=f"main waits in run.. for a descriptor to be ready, since 0 s, at {HERE}"):  # noqa: SIM117
        with simulated(seed=1):
            asyncio.run(wait())


def test_trio_sleeps_for_longer_than_the_day_after_which_it_looks_again() -> None:
    with simulated(seed=1) as world:
        trio.run(trio.sleep, WEEK)

        assert WEEK <= world.now < WEEK + 1


def test_trio_waits_for_a_thread_that_takes_longer_than_a_day() -> None:
    async def wait() -> None:
        await trio.to_thread.run_sync(time.sleep, WEEK)

    with simulated(seed=1) as world:
        trio.run(wait)

        assert world.now == WEEK


def test_an_idle_thread_of_trio_from_before_a_world_does_not_work_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def thread() -> threading.Thread:
        return await trio.to_thread.run_sync(threading.current_thread)

    monkeypatch.setattr("trio._core._thread_cache.IDLE_TIMEOUT", 1.0)
    before = trio.run(thread)
    with simulated(seed=1):
        was_idle = before.is_alive()
        inside = trio.run(thread)
    after = trio.run(thread)

    assert was_idle
    assert inside not in (before, after)
    assert not inside.is_alive()
    for each in (before, after):
        each.join(timeout=30)


def test_a_thread_of_trio_that_a_world_has_ended_gets_no_work_in_the_next() -> None:
    async def main() -> None:
        lock = threading.Lock()  # of the world: for one from outside it would wait some real seconds
        lock.acquire()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(trio.to_thread.run_sync, lock.acquire))
            await trio.sleep(1)
            raise KeyError("mine")

    async def work() -> int:
        return await trio.to_thread.run_sync(int)

    for seed in range(3):
        with pytest.raises(ExceptionGroup), simulated(seed=seed):
            trio.run(main)
        with simulated(seed=seed):
            assert trio.run(work) == 0
