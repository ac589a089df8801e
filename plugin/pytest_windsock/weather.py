"""The fixtures for bad weather: the test's seed, and a factory of proxies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_windsock import deadline, seeds
from pytest_windsock.fixtures import State, finish_all, seed_source, timeout_of

if TYPE_CHECKING:
    from windsock.wire.proxied import FaultProxy

__all__ = ["ALL", "Proxies"]


class Proxies(Protocol):
    """The factory that the fixture `fault_proxy` gives: takes what `windsock.proxy()` takes."""

    def __call__(self, address: Any, **options: Any) -> FaultProxy:
        """Start a proxy in front of an address; it is stopped when the test ends."""
        ...


@pytest.fixture
def windsock_seed(request: pytest.FixtureRequest) -> int:
    """Return the test's own seed, of the run's (--windsock-seed) and its node id: for `seed=`, and random data."""
    return seeds.seed_of_test(request.node)


@pytest.fixture
def fault_proxy() -> Iterator[Proxies]:
    """Factory of proxies: fault_proxy(address), with transport=, faults=, framing=, timeout=, ..."""
    __tracebackhide__ = True
    import windsock

    deadline.hand_over()
    started: list[FaultProxy] = []
    seconds = timeout_of(State.item.config)

    def start(address: Any, **options: Any) -> FaultProxy:
        __tracebackhide__ = True
        seed = seed_source()
        given: dict[str, Any] = {"timeout": seconds, "name": f"fault_proxy {len(started) + 1}"} | options
        if given.get("seed") is None:
            given["seed"] = seed()
        made = windsock.proxy(address, **given)
        started.append(made)
        State.servers.append(made)
        return made

    try:
        yield start
    finally:
        finish_all(started)


ALL: dict[str, Any] = {"fault_proxy": fault_proxy, "windsock_seed": windsock_seed}
"""Each fixture by its name."""
