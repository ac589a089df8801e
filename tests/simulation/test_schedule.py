"""The schedule of a world: a run queue, timers and a clock, without threads."""

from __future__ import annotations

import math
from functools import partial

import pytest

from windsock.simulation.schedule import Schedule
from windsock.simulation.tasks import Task


def order(seed: int) -> list[str]:
    schedule = Schedule(seed)
    for name in "abcde":
        schedule.add(Task(name))
    return [task.name for task in iter(schedule.next, None)]


def test_the_same_seed_gives_the_same_order() -> None:
    assert order(7) == order(7)


def test_twenty_seeds_give_more_than_ten_orders_of_five_tasks() -> None:
    assert len({tuple(order(seed)) for seed in range(20)}) > 10


def test_the_clock_jumps_to_the_first_timer() -> None:
    schedule = Schedule(1)
    late, early = Task("late"), Task("early")
    schedule.park(late, 300)
    schedule.park(early, 20)

    first = schedule.next()

    assert (first, schedule.now()) == (early, 20)
    assert early.timed_out


def test_a_timer_of_a_wait_that_has_ended_moves_no_clock() -> None:
    schedule = Schedule(1)
    task = Task("task")
    schedule.park(task, 300)
    schedule.wake(task)

    assert schedule.next() is task
    assert schedule.next() is None
    assert schedule.now() == 0


def test_calls_of_one_moment_happen_in_the_order_in_which_they_were_asked_for() -> None:
    schedule = Schedule(1)
    seen: list[str] = []
    for name in "abc":
        schedule.call_at(5, partial(seen.append, name))

    assert schedule.next() is None
    assert (seen, schedule.now()) == (["a", "b", "c"], 5)


def test_time_creeps_only_after_many_calls_that_pass_none() -> None:
    schedule = Schedule(1)
    task = Task("task")
    for _ in range(10_000):
        schedule.creep(task)
    before = schedule.now()
    schedule.creep(task)

    assert before == 0 < schedule.now() < 1e-3


def test_the_trace_has_each_choice() -> None:
    schedule = Schedule(1, is_traced=True)
    task = Task("task")
    schedule.park(task, 3)
    schedule.next()

    assert schedule.trace == [(3.0, "task")]


@pytest.mark.parametrize(
    ("now", "seconds", "then"),
    [
        (0.0, 0.1, 0.1),
        (0.2, 0.1, 0.3),  # 0.30000000000000004 as floats add up
        (5.0, 0.0, 5.0),
        (5.0, -1.0, 5.0),
        (5.0, 1e-12, 5.000000001),  # a wait passes time
        (0.0, 1e12, 1e12),
        (5.0, math.inf, math.inf),
    ],
)
def test_a_wait_ends_at_a_whole_nanosecond(now: float, seconds: float, then: float) -> None:
    schedule = Schedule(1)
    schedule.seconds = now

    assert schedule.after(seconds) == then
