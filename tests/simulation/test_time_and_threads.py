"""Clocks, locks, queues and threads of a world."""

from __future__ import annotations

import datetime
import os
import queue
import random
import sched
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from windsock.errors import UsageError
from windsock.simulation import World, simulated

EARLY_LOCK = threading.Lock()
EARLY_RLOCK = threading.RLock()
EARLY_CONDITION = threading.Condition()


@pytest.fixture
def world() -> Iterator[World]:
    with simulated(seed=7) as world:
        yield world


def test_a_sleep_takes_virtual_time_only(world: World) -> None:
    before = time.monotonic(), time.time(), time.perf_counter_ns()
    time.sleep(300)

    assert world.now == 300
    assert time.monotonic() == before[0] + 300
    assert time.time() == before[1] + 300
    assert time.perf_counter_ns() == before[2] + 300 * 10**9


def test_no_sleep_is_shorter_than_it_was_asked_for(world: World) -> None:
    for number in range(1, 2000):
        seconds = round(number / 977, 9)
        start = time.monotonic()
        time.sleep(seconds)

        assert seconds <= time.monotonic() - start < seconds + 1e-8


def test_the_time_of_a_world_is_shown_without_what_numbers_in_binary_add(world: World) -> None:
    time.sleep(0.1)
    time.sleep(0.2)

    assert world.now == 0.3


def test_the_calendar_begins_with_2026(world: World) -> None:
    time.sleep(3 * 86400)

    assert time.gmtime()[:3] == (2026, 1, 4)
    assert time.strftime("%Y-%m", time.gmtime()) == "2026-01"
    assert time.clock_gettime(time.CLOCK_REALTIME) == time.time()


def test_dates_are_those_of_the_world(world: World) -> None:
    time.sleep(36 * 3600)

    assert datetime.datetime.now() == datetime.datetime.fromtimestamp(time.time())
    assert datetime.datetime.now(datetime.UTC).isoformat() == "2026-01-02T12:00:00+00:00"
    assert datetime.datetime.now().date() == datetime.date.today()
    assert type(datetime.datetime.now()) is datetime.datetime


def test_random_numbers_are_drawn_from_the_seed() -> None:
    state = random.getstate()
    drawn = []
    for seed in (1, 1, 2):
        with simulated(seed=seed):
            drawn.append((random.random(), uuid.uuid4(), os.urandom(4), secrets.token_hex(4)))

    assert drawn[0] == drawn[1]
    assert not set(drawn[0]) & set(drawn[2])
    assert random.getstate() == state


def test_a_default_argument_of_the_standard_library_is_virtual_too(world: World) -> None:
    scheduler = sched.scheduler(time.monotonic, time.sleep)
    scheduler.enter(60, 1, lambda: None)
    scheduler.run()

    assert world.now == 60


def test_a_loop_that_spins_on_the_clock_ends(world: World) -> None:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        pass

    assert 5 <= world.now < 5.1


def test_threads_sleep_at_the_same_time(world: World) -> None:
    threads = [threading.Thread(target=time.sleep, args=(100,)) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert world.now == 100
    assert not any(each.is_alive() for each in threads)


def test_a_join_has_its_time_out(world: World) -> None:
    thread = threading.Thread(target=time.sleep, args=(100,))
    thread.start()
    thread.join(timeout=10)

    assert (thread.is_alive(), world.now) == (True, 10)
    thread.join()
    assert world.now == 100


@pytest.mark.parametrize("lock", [EARLY_LOCK, EARLY_RLOCK], ids=["Lock", "RLock"])
def test_a_lock_made_before_the_world_waits_in_it(world: World, lock: threading.Lock) -> None:
    def hold() -> None:
        with lock:
            time.sleep(20)

    threading.Thread(target=hold).start()
    time.sleep(1)
    was_free = lock.acquire(timeout=5)
    seen = world.now

    with lock:
        assert (was_free, seen, world.now) == (False, 6, 20)


def test_a_condition_made_before_the_world_waits_in_it(world: World) -> None:
    def hold() -> None:
        with EARLY_CONDITION:
            EARLY_CONDITION.notify()
            time.sleep(20)

    with EARLY_CONDITION:
        threading.Timer(5, hold).start()
        was_notified = EARLY_CONDITION.wait()

        assert (was_notified, world.now) == (True, 25)


def test_events_conditions_and_queues_wait_in_virtual_time(world: World) -> None:
    items: queue.Queue[int] = queue.Queue(maxsize=1)
    simple: queue.SimpleQueue[int] = queue.SimpleQueue()
    event, condition = threading.Event(), threading.Condition()
    threading.Timer(5, items.put, [1]).start()
    threading.Timer(6, simple.put, [2]).start()
    threading.Timer(7, event.set).start()

    assert (items.get(), simple.get(timeout=9), event.wait(), world.now) == (1, 2, True, 7)
    with condition:
        assert not condition.wait(timeout=10)
    with pytest.raises(queue.Empty):
        simple.get(timeout=3)
    assert world.now == 20


def test_a_thread_pool_works_as_ever(world: World) -> None:
    def work(seconds: int) -> int:
        time.sleep(seconds)
        return seconds

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(5)))

    assert (results, world.now) == ([0, 1, 2, 3, 4], 4)


def test_advance_lets_the_others_run(world: World) -> None:
    seen: list[float] = []
    threading.Timer(30, lambda: seen.append(world.now)).start()

    world.advance(29)
    before = list(seen)
    world.advance(2)

    assert (before, seen, world.now) == ([], [30], 31)


def test_the_clock_stands_still_outside(world: World) -> None:
    with world.outside():
        real = time.monotonic()
        time.sleep(0.001)
        passed = time.monotonic() - real

    assert passed >= 0.001
    assert world.now == 0


def race(seed: int) -> int:
    """Return what two threads count to that read and write a number with a lock held each time, but not between."""
    lock = threading.Lock()
    number = 0

    def count() -> None:
        nonlocal number
        with lock:
            seen = number
        with lock:
            number = seen + 1

    with simulated(seed=seed):
        threads = [threading.Thread(target=count) for _ in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    return number


def test_a_race_is_found_by_seed_and_replays() -> None:
    lost = [seed for seed in range(30) if race(seed) == 1]

    assert 0 < len(lost) < 30
    assert [race(seed) for seed in lost[:3]] == [1] * len(lost[:3])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simulated(seed=-1), "expected a whole number from 0"),
        (lambda: simulated(seed="x"), "expected a whole number from 0"),  # type: ignore[arg-type]
        (lambda: simulated(most_steps=0), "expected a whole number of steps"),
    ],
)
def test_a_wrong_value_is_named(call: Callable[[], World], message: str) -> None:
    with pytest.raises(UsageError, match=message), call():  # type: ignore[attr-defined]
        pass


def test_a_world_in_a_world_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match="a world is live already"), simulated():
        pass


def test_a_negative_advance_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match="0 or more"):
        world.advance(-1)


def test_a_world_that_is_over_cannot_advance() -> None:
    with simulated(seed=1) as world:
        pass

    with pytest.raises(UsageError, match="after its end"):
        world.advance(1)
