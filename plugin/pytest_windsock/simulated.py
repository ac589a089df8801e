"""Tests in a simulated world: entered in front of the first fixture that is the test's own, left after the last."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import windsock
from pytest_windsock import hangs, seeds
from pytest_windsock.fixtures import State
from windsock.harness import ThreadPool
from windsock.net import system

if TYPE_CHECKING:
    from windsock import World

__all__ = ["NAME", "Worlds", "is_simulated", "world_of"]

NAME = "windsock_worlds"
WORLD: pytest.StashKey[World] = pytest.StashKey()


def is_simulated(item: pytest.Item) -> bool:
    """Return whether a test is marked to run in a world; the marker closest to it decides."""
    found = (mark.kwargs["simulated"] for mark in item.iter_markers("windsock") if "simulated" in mark.kwargs)
    return bool(next(found, False))


def world_of(item: pytest.Item) -> World:
    """Return the world of a test. Raises UsageError if it is not marked."""
    world = item.stash.get(WORLD, None)
    if world is None:
        raise windsock.UsageError(
            f"{item.nodeid}: the fixture world is for tests marked with @pytest.mark.windsock(simulated=True)"
        )
    return world


class Worlds:
    """The hooks that begin and end the worlds of tests. Registered if there is such a test."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
        """Enter the world in front of the first fixture of a test's own."""
        if fixturedef.scope == "function":
            _enter(request.node)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Enter the world at the latest now; say how a failure is replayed."""
        __tracebackhide__ = True
        _enter(item)
        if WORLD in item.stash:
            hangs.begin(item)  # a world may have been entered in the setup, which was watched by itself
        try:
            result = yield
            if WORLD in item.stash:
                item.stash[WORLD].check()
            return result
        except BaseException as error:
            if WORLD in item.stash:
                item.stash[WORLD].check(error)
                if isinstance(error, Exception):
                    error.add_note(_replay(item))
            raise


def _replay(item: pytest.Item) -> str:
    seed = seeds.seed_of_run(item.config)
    return f"windsock: simulated; to replay it: pytest --windsock-seed={seed} '{seeds.name_of_test(item)}'"


def _enter(item: pytest.Item) -> None:
    """Enter the world of a test, unless it has none or is in it already."""
    __tracebackhide__ = True
    if WORLD in item.stash or not is_simulated(item):
        return
    hangs.begin(item)  # its thread and its time are real
    stack = ExitStack()
    item.addfinalizer(stack.close)
    try:
        world = stack.enter_context(windsock.simulated(seed=seeds.seed_of_test(item)))
    except windsock.Unsupported as reason:
        pytest.skip(str(reason))
    item.stash[WORLD] = world
    stack.push(partial(_forget, item, State.thread_pool, State.clock, State.began))
    State.thread_pool, State.clock, State.began = None, world.mark, system.monotonic()


def _forget(item: pytest.Item, before: ThreadPool | None, clock: Callable[[], float], began: float, *_: object) -> None:
    """End the idle threads of the world's servers; put back those of other tests, and the clock."""
    pool, State.thread_pool, State.clock, State.began = State.thread_pool, before, clock, began
    del item.stash[WORLD]
    if pool is not None:
        pool.close()
