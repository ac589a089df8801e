"""The fixture `real_server`: real programs of the running test, their proxies, and their output in its report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytest_windsock import deadline, hangs, seeds, verdict
from pytest_windsock.fixtures import State, timeout_of
from windsock.programs.options import options_from
from windsock.programs.running import RealServer
from windsock.proxies.proxy import FaultProxy

if TYPE_CHECKING:
    from pytest_windsock.factories import RealServers

__all__ = ["real_servers"]


def real_servers() -> Iterator[RealServers]:
    """Give the factory of real programs, and finish them, the latest first."""
    __tracebackhide__ = True
    deadline.hand_over()
    hangs.begin(State.item)
    started: list[RealServer] = []

    def start(command: Any, /, **options: Any) -> RealServer:
        __tracebackhide__ = True
        made = RealServer(options_from(command, **options), _proxy_of_test)
        started.append(made)
        State.programs.append(made)
        return made

    try:
        yield start
    finally:
        verdict.finish(started)


def _proxy_of_test(address: Any, **options: Any) -> FaultProxy:
    """Start the proxy in front of a program; its recording is in the test's report."""
    item, number = State.item, len(State.servers)
    seed = seeds.seed_of_server(item, number)
    made = FaultProxy(address, timeout=timeout_of(item.config), seed=seed, **options)
    State.servers.append(made)
    return made
