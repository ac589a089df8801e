"""Races are found by seed, and by interleavings that shrink."""

from __future__ import annotations

import ast
import random
import re
import socket
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import pytest

import windsock
from windsock import strategies
from windsock.errors import UsageError
from windsock.simulation import World, simulated
from windsock.simulation.interleaving import Interleaving
from windsock.simulation.schedule import Schedule
from windsock.simulation.tasks import Task

hypothesis = pytest.importorskip("hypothesis")


class Client:
    """Counts its requests without a lock."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.requests = 0

    def ask(self) -> bytes:
        with socket.create_connection(self.address) as connection:
            seen = self.requests
            connection.sendall(b"ping\n")
            self.requests = seen + 1
            return connection.recv(100)


def counted(world: AbstractContextManager[World]) -> int:
    """Return what two threads have counted in a world."""
    with world, windsock.serving() as server:
        server.on(b"ping\n").reply(b"pong\n")
        client = Client(server.address)
        threads = [threading.Thread(target=client.ask) for _ in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    return client.requests


def test_a_race_is_found_within_two_hundred_seeds_and_replays() -> None:
    lost = next(seed for seed in range(200) if counted(simulated(seed=seed)) == 1)

    assert [counted(simulated(seed=lost)) for _ in range(3)] == [1, 1, 1]


def order_of_five(seed: int) -> tuple[int, ...]:
    """Return the order in which five threads that begin at one moment have got their replies."""
    order: list[int] = []
    begin = threading.Barrier(5)

    def ask(number: int) -> None:
        begin.wait()
        with socket.create_connection(server.address) as connection:
            connection.sendall(b"ping\n")
            assert connection.recv(100) == b"pong\n"
            order.append(number)

    with simulated(seed=seed), windsock.serving() as server:
        server.on(b"ping\n").reply(b"pong\n")
        threads = [threading.Thread(target=ask, args=[number]) for number in range(5)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    return tuple(order)


def test_twenty_seeds_give_more_than_ten_orders_of_five_threads() -> None:
    orders = [order_of_five(seed) for seed in range(20)]

    assert len(set(orders)) > 10
    assert all(sorted(each) == [0, 1, 2, 3, 4] for each in orders)
    assert [order_of_five(seed) for seed in range(3)] == orders[:3]


def test_a_race_is_found_as_an_interleaving_and_shrunk() -> None:
    smallest = hypothesis.find(
        strategies.interleavings(),
        lambda interleaving: counted(simulated(interleaving=interleaving)) == 1,
        settings=hypothesis.settings(max_examples=500, database=None, deadline=None),
    )

    assert [thread for _, thread in smallest] in ([0], [0, 0])
    assert counted(simulated(interleaving=smallest)) == 1
    assert counted(simulated(interleaving=[])) == 2


def test_a_falsifying_example_is_code_that_replays() -> None:
    def counts_all(interleaving: list[tuple[int, int]]) -> None:
        assert counted(simulated(interleaving=interleaving)) == 2

    search = hypothesis.given(interleaving=strategies.interleavings())(counts_all)
    with pytest.raises(AssertionError) as failure:
        hypothesis.settings(max_examples=500, database=None, deadline=None, derandomize=True)(search)()

    (code,) = re.findall(r"interleaving=(\[.*\])", "".join(failure.value.__notes__), re.DOTALL)
    assert counted(simulated(interleaving=ast.literal_eval(code))) == 1


def order(points: Iterable[tuple[int, int]]) -> str:
    """Return the order in which four tasks run, of which the first is pre-empted if a point says so."""
    schedule = Schedule(1, interleaving=Interleaving(points))
    running = Task("a")
    for name in "bcd":
        schedule.add(Task(name))
    if schedule.preempts():
        first = schedule.next()
        schedule.add(running)
    else:
        first = running
    return "".join(task.name for task in [first, *iter(schedule.next, None)] if task is not None)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], "abcd"),
        ([(0, 0)], "bcda"),
        ([(0, 2)], "dbca"),
        ([(0, 3)], "bcda"),  # counted around
        ([(1, 1)], "acbd"),
        ([(1, 1), (2, 1)], "acdb"),
        ([(0, 1), (1, 1)], "cdba"),  # which is held back until no other one is ready
        ([(99, 1)], "abcd"),
    ],
)
def test_at_a_point_another_task_runs_and_else_the_one_that_has_been_ready_for_longest(
    points: Iterable[tuple[int, int]], expected: str
) -> None:
    assert order(points) == expected


@pytest.mark.parametrize("wrong", [5, [1], [(1, 2, 3)], [(-1, 0)], [("a", 0)], [(1.5, 0)]])
def test_a_wrong_interleaving_is_named(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"expected pairs of a step and a thread"), simulated(interleaving=wrong):
        pass


def test_an_interleaving_needs_no_seed_to_be_repeated() -> None:
    def drawn() -> float:
        with simulated(interleaving=[]):
            return random.random()

    assert drawn() == drawn()


def test_threads_that_are_started_one_after_the_other_do_not_begin_in_that_order_alone() -> None:
    def order_of(seed: int) -> tuple[int, ...]:
        order: list[int] = []
        with simulated(seed=seed):
            threads = [threading.Thread(target=order.append, args=[number]) for number in range(5)]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
        return tuple(order)

    orders = [order_of(seed) for seed in range(40)]

    assert len(set(orders)) > 5
    assert [order_of(seed) for seed in range(40)] == orders
