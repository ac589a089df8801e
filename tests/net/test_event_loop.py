"""One thread for many: calls, moments and descriptors, and what is left at its end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from tests.support.waiting import DEADLINE
from windsock.net.event_loop import READABLE, EventLoop
from windsock.relay.loop import RelayLoop


@pytest.fixture
def errors() -> list[Exception]:
    return []


@pytest.fixture
def event_loop(errors: list[Exception], nothing_is_left: None) -> Iterator[EventLoop]:
    made = EventLoop("test", errors.append, lambda: None)
    made.start()
    yield made
    assert made.stop(DEADLINE)


def test_calls_are_answered_in_order(event_loop: EventLoop) -> None:
    found: list[int] = []
    for number in range(1000):
        event_loop.call(lambda number=number: found.append(number))  # type: ignore[misc]  # a lambda with a default
    assert event_loop.ask(lambda: None, DEADLINE)
    assert found == list(range(1000))


def test_no_call_is_lost_however_many_call(event_loop: EventLoop) -> None:
    count = [0]

    def add() -> None:
        count[0] += 1

    def ask() -> None:
        for _ in range(300):
            assert event_loop.ask(add, DEADLINE)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert count == [1200]


def test_who_calls_again_and_again_does_not_keep_others_waiting(event_loop: EventLoop) -> None:
    def again() -> None:
        event_loop.call(again)

    event_loop.call(again)
    rung = threading.Event()
    event_loop.call(lambda: event_loop.at(monotonic(), rung.set))
    assert rung.wait(DEADLINE)


def test_no_moment_comes_too_early(event_loop: EventLoop) -> None:
    late: list[float] = []
    done = threading.Event()

    def ring(due: float) -> None:
        late.append(monotonic() - due)
        if len(late) == 20:
            done.set()

    def plan() -> None:
        for number in range(20):
            due = monotonic() + 0.001 + number * 0.0017
            event_loop.at(due, lambda due=due: ring(due))  # type: ignore[misc]  # a lambda with a default

    event_loop.call(plan)
    assert done.wait(DEADLINE)
    assert min(late) >= 0  # how late they are is a figure of benchmarks/proxy.py


def test_a_cancelled_moment_does_not_come(event_loop: EventLoop) -> None:
    found: list[str] = []
    done = threading.Event()

    def plan() -> None:
        event_loop.at(monotonic() + 0.001, lambda: found.append("cancelled")).cancel()
        event_loop.at(monotonic() + 0.002, done.set)

    event_loop.call(plan)
    assert done.wait(DEADLINE)
    assert found == []


def test_an_error_is_told_and_ends_nothing(event_loop: EventLoop, errors: list[Exception]) -> None:
    def fail(_: object = None) -> None:
        raise LookupError("on purpose")

    ours, theirs = socket.socketpair()
    with ours, theirs:
        event_loop.call(fail)
        event_loop.call(lambda: event_loop.at(monotonic(), fail))
        seen = threading.Event()

        def ready(events: int) -> None:
            event_loop.forget(ours.fileno())
            seen.set()
            fail()

        event_loop.call(lambda: event_loop.watch(ours.fileno(), READABLE, ready))
        theirs.send(b"x")
        assert seen.wait(DEADLINE)
        assert event_loop.ask(lambda: None, DEADLINE)
    assert [type(error) for error in errors] == [LookupError] * 3


def test_after_its_end_nobody_waits_for_it(errors: list[Exception]) -> None:
    event_loop = EventLoop("test", errors.append, lambda: None)
    event_loop.start()
    assert event_loop.stop(DEADLINE)
    assert event_loop.stop(DEADLINE)
    assert not event_loop.ask(lambda: None, DEADLINE)
    event_loop.call(lambda: None)


def test_an_outcome_of_pytest_is_told_as_well(event_loop: EventLoop, errors: list[Any]) -> None:
    event_loop.call(lambda: pytest.fail("in a function of a test"))
    assert event_loop.ask(lambda: None, DEADLINE)
    assert [type(error) for error in errors] == [pytest.fail.Exception]


def test_what_may_be_late_is_not_early(event_loop: EventLoop) -> None:
    done = threading.Event()
    late: list[float] = []

    def plan() -> None:
        due = monotonic() + 0.0105
        event_loop.later(0.0105, lambda: ring(due))

    def ring(due: float) -> None:
        late.append(monotonic() - due)
        done.set()

    event_loop.call(plan)
    assert done.wait(DEADLINE)
    assert late[0] >= 0


def test_one_member_of_a_house_that_fails_does_not_keep_the_others_from_hearing(errors: list[Any]) -> None:
    heard = threading.Event()

    class Failing:
        def refresh(self, now: float) -> None:
            raise LookupError("refresh")

        def delivers_by(self, time: float) -> bool:
            return False

        def finish(self) -> None:
            raise LookupError("finish")

        def sockets(self) -> tuple[()]:
            return ()

    class Listening(Failing):
        has_finished = False

        def refresh(self, now: float) -> None:
            heard.set()

        def finish(self) -> None:
            self.has_finished = True

    relay_loop = RelayLoop("test", errors.append)
    listening = Listening()
    relay_loop.add(Failing())
    relay_loop.add(listening)
    relay_loop.start()
    try:
        relay_loop.refresh()
        assert heard.wait(DEADLINE)
    finally:
        relay_loop.stop(DEADLINE)
    assert listening.has_finished
    assert [str(error) for error in errors] == ["refresh", "finish"]


def test_a_loop_that_runs_in_the_thread_of_its_caller(nothing_is_left: None) -> None:
    here: list[bool] = []
    made: EventLoop = EventLoop("test", lambda error: None, lambda: here.append(made.is_here()))
    made.later(0, lambda: made.stop(DEADLINE))

    made.run()

    assert here == [True]


def test_a_loop_in_the_thread_of_its_caller_raises_what_is_raised_where_errors_are_told(nothing_is_left: None) -> None:
    def fail(error: BaseException) -> None:
        raise error

    made: EventLoop = EventLoop("test", fail, lambda: None)
    made.later(0, lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        made.run()
