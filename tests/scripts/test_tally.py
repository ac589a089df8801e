"""Counters that threads and forked children count up together."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from windsock.fakes.counters import Tally

both = pytest.mark.parametrize("across_processes", [False, True])


@both
def test_numbers_begin_at_0_and_end_before_the_limit(across_processes: bool) -> None:
    tally = Tally(across_processes=across_processes)
    one, other = tally.add(), tally.add()

    assert [tally.take(one, 2) for _ in range(3)] == [0, 1, None]
    assert [tally.take(one, 3), tally.take(other)] == [2, 0]
    assert (tally.taken(one), tally.taken(other)) == (3, 1)
    tally.close()


@both
def test_numbers_can_be_read_when_it_is_closed(across_processes: bool) -> None:
    tally = Tally(across_processes=across_processes)
    counter = tally.add()
    tally.take(counter)
    tally.close()
    tally.close()

    assert tally.taken(counter) == 1


@both
def test_threads_get_each_number_once(across_processes: bool) -> None:
    tally = Tally(across_processes=across_processes)
    counter = tally.add()
    taken: list[int | None] = []
    threads = [threading.Thread(target=lambda: taken.extend(tally.take(counter) for _ in range(200))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(number for number in taken if number is not None) == list(range(800))
    tally.close()


def test_children_get_each_number_once() -> None:
    tally = Tally(across_processes=True)
    counter = tally.add()
    reader, writer = os.pipe()
    children = [fork_and(lambda: os.write(writer, bytes(taken(tally, counter, 50)))) for _ in range(4)]
    for child in children:
        assert os.waitpid(child, 0)[1] == 0

    assert sorted(os.read(reader, 1000)) == list(range(200))
    assert tally.taken(counter) == 200
    os.close(reader)
    os.close(writer)
    tally.close()


def test_a_child_that_is_killed_while_it_counts_keeps_nobody_out() -> None:
    tally = Tally(across_processes=True)
    counter = tally.add()
    reader, writer = os.pipe()

    def hold() -> None:
        with tally._locked():
            os.write(writer, b"!")
            signal.pause()

    child = fork_and(hold)
    assert os.read(reader, 1) == b"!"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    assert tally.take(counter) == 0
    os.close(reader)
    os.close(writer)
    tally.close()


def taken(tally: Tally, counter: int, count: int) -> list[int]:
    return [number for _ in range(count) if (number := tally.take(counter)) is not None]


def fork_and(work: object) -> int:
    """Do it in a child; return its pid."""
    assert callable(work)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid
