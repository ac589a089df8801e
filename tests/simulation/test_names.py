"""What is replaced in the standard library while a world is live, and put back after it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from time import monotonic as early_clock
from time import sleep as early_sleep
from types import ModuleType
from typing import Any

import pytest

from windsock.net import system
from windsock.simulation import simulated, skin
from windsock.simulation.interpreter import members_of


class Client:
    sleep = time.sleep  # not a method, as it is no Python function
    pause = staticmethod(time.sleep)


def wrapped(function: Any) -> Any:
    def call(*arguments: Any) -> Any:
        return function(*arguments)

    return call


in_closure = wrapped(time.sleep)


def by_default(seconds: float, sleep: Any = time.sleep, *, clock: Any = time.monotonic) -> float:
    sleep(seconds)
    return float(clock())


@pytest.fixture
def module() -> Iterator[ModuleType]:
    made = ModuleType("made_by_a_test")
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


def test_names_bound_before_the_world_are_found() -> None:
    with simulated(seed=1) as world:
        early_sleep(1)
        Client().sleep(2)  # type: ignore[misc, call-arg]  # mypy takes it for a method
        Client().pause(4)
        in_closure(8)
        system.sleep(16)
        clocks = early_clock() - 1000, system.monotonic() - 1000, by_default(32) - 1000

        assert clocks == (31, 31, 63)
        assert world.now == 63


def everything() -> list[Any]:
    methods = [members_of(class_)[name] for class_, name in skin.METHODS]
    return [*methods, time.sleep, time.monotonic, early_sleep, system.monotonic, system.sleep, vars(Client)["pause"]]


def test_everything_is_as_before_after_a_world() -> None:
    with simulated(seed=1):
        pass
    before = everything()
    with simulated(seed=1):
        inside = everything()

    assert all(one is not other for one, other in zip(before[:-1], inside, strict=False))
    assert [each.__func__ if isinstance(each, staticmethod) else each for each in everything()] == [
        each.__func__ if isinstance(each, staticmethod) else each for each in before
    ]


def test_a_module_imported_in_a_world_is_put_right_after_it(module: ModuleType) -> None:
    with simulated(seed=1):
        exec("from time import sleep", vars(module))
        module.sleep(100)

    assert module.sleep is time.sleep


def test_what_a_test_has_replaced_stays_replaced(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    exec("from time import sleep", vars(module))
    with simulated(seed=1):
        pass
    slept: list[float] = []
    monkeypatch.setattr(module, "sleep", slept.append)
    with simulated(seed=1):
        module.sleep(3)

    module.sleep(4)
    assert slept == [3, 4]


def test_a_stand_in_that_was_kept_works_without_a_world() -> None:
    with simulated(seed=1):
        kept = time.monotonic
    before = time.monotonic()

    assert before <= kept() <= time.monotonic()


def test_threads_that_are_not_of_the_world_keep_real_time() -> None:
    seen: list[float] = []
    asked, answered = threading.Event(), threading.Event()

    def outsider() -> None:
        asked.wait()
        seen.append(time.monotonic())
        answered.set()

    thread = threading.Thread(target=outsider)
    before = time.monotonic()
    thread.start()
    with simulated(seed=1):
        asked.set()
        answered.wait()
    thread.join()

    assert before <= seen[0] <= time.monotonic()
