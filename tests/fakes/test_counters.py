"""Counters that threads and forked children count up together."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tests.support.processes import forked
from windsock.fakes.counters import Counters
from windsock.fakes.shared_numbers import SharedNumbers

both = pytest.mark.parametrize("across_processes", [False, True])


@both
def test_numbers_begin_at_0_and_end_before_the_limit(across_processes: bool) -> None:
    counters = Counters(across_processes=across_processes)
    one, other = counters.add(), counters.add()

    assert [counters.take(one, 2) for _ in range(3)] == [0, 1, None]
    assert [counters.take(one, 3), counters.take(other)] == [2, 0]
    assert (counters.taken(one), counters.taken(other)) == (3, 1)
    counters.close()


@both
def test_numbers_can_be_read_when_it_is_closed(across_processes: bool) -> None:
    counters = Counters(across_processes=across_processes)
    counter = counters.add()
    counters.take(counter)
    counters.close()
    counters.close()

    assert counters.taken(counter) == 1


@both
def test_threads_get_each_number_once(across_processes: bool) -> None:
    counters = Counters(across_processes=across_processes)
    counter = counters.add()
    taken: list[int | None] = []
    threads = [
        threading.Thread(target=lambda: taken.extend(counters.take(counter) for _ in range(200))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(number for number in taken if number is not None) == list(range(800))
    counters.close()


def test_children_get_each_number_once() -> None:
    counters = Counters(across_processes=True)
    counter = counters.add()
    reader, writer = os.pipe()
    children = [forked(lambda: os.write(writer, bytes(taken(counters, counter, 50)))) for _ in range(4)]
    for child in children:
        assert os.waitpid(child, 0)[1] == 0

    assert sorted(os.read(reader, 1000)) == list(range(200))
    assert counters.taken(counter) == 200
    os.close(reader)
    os.close(writer)
    counters.close()


def test_a_child_that_is_killed_while_it_counts_keeps_nobody_out() -> None:
    numbers = SharedNumbers(1, "a test")
    reader, writer = os.pipe()

    def hold() -> None:
        with numbers as values:
            values[0] = 7
            os.write(writer, b"!")
            signal.pause()

    child = forked(hold)
    assert os.read(reader, 1) == b"!"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    with numbers as values:
        assert values[0] == 7
    os.close(reader)
    os.close(writer)
    numbers.close()


def taken(counters: Counters, counter: int, count: int) -> list[int]:
    return [number for _ in range(count) if (number := counters.take(counter)) is not None]
