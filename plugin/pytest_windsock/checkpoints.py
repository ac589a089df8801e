"""The servers that outlive a test, and a checkpoint on each for every test that uses it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_windsock import seeds, starting, verdict
from pytest_windsock.fixtures import State
from windsock.errors import UsageError

if TYPE_CHECKING:
    from windsock import RunningServer

__all__ = ["NAME", "Checkpoints", "Outliving", "serve", "set_up"]

NAME = "windsock_checkpoints"


@dataclass(eq=False)
class Outliving:
    """A running server whose fixture has a wider scope than one test: the fixture's name, and the node of its scope."""

    server: Any
    name: str
    node: pytest.Item | pytest.Collector

    def is_used_by(self, item: pytest.Item) -> bool:
        """Return whether a test asks for the fixture, itself or through other fixtures."""
        return self.name in getattr(item, "fixturenames", ()) and self.node in item.listchain()

    def show(self) -> None:
        """Show the server in the reports of the test that begins."""
        State.servers.append(self.server)

    def begin(self, item: pytest.Item) -> None:
        """Begin a checkpoint, which ends once the test's own fixtures are torn down."""
        if (summary := item.config.pluginmanager.get_plugin("windsock_summary")) is not None:
            summary.count_part(self.server)
        seed = partial(seeds.seed_of_server, item, State.servers.index(self.server))
        checkpoint = self.server.checkpoint(item.nodeid, _seed=seed, _is_automatic=True)
        checkpoint.begin()
        item.addfinalizer(partial(verdict.finish, [checkpoint]))


class Checkpoints:
    """The hooks that begin the checkpoints of a test, in front of the first fixture that is its own."""

    def __init__(self) -> None:
        self.servers: list[Outliving] = []
        self._has_begun = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Show the servers in reports from here on; begin at the latest when all fixtures are there."""
        __tracebackhide__ = True
        self._has_begun = False
        for each in self.servers:
            if each.is_used_by(item):
                each.show()
        result = yield
        self._begin(item)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: pytest.FixtureRequest) -> Generator[None, object, object]:
        """Begin before the first fixture of function scope: wider ones, which come first, are not of one test."""
        __tracebackhide__ = True
        if fixturedef.scope == "function":
            self._begin(request.node)
        return (yield)

    def add(self, outliving: Outliving) -> None:
        """Add a server that has just been set up; if the test has begun, which asked for it late, it is used now."""
        self.servers.append(outliving)
        if self._has_begun:
            outliving.begin(State.item)

    def remove(self, server: object) -> None:
        """Remove a server that is to be finished."""
        self.servers = [each for each in self.servers if each.server is not server]

    def _begin(self, item: pytest.Item) -> None:
        if not self._has_begun:
            self._has_begun = True
            for each in self.servers:
                if each.is_used_by(item):
                    each.begin(item)


def serve(
    request: pytest.FixtureRequest, name: str, options: dict[str, Any], setup: Callable[..., Any]
) -> Iterator[RunningServer]:
    """Start the server of a fixture, set it up, and give it; finish it at the end of the scope."""
    __tracebackhide__ = True
    server = starting.scoped(request, name, options)
    steps = set_up(setup, server, name)
    checkpoints: Any = None if request.scope == "function" else request.config.pluginmanager.get_plugin(NAME)
    try:
        next(steps)
        if checkpoints is not None:
            checkpoints.add(Outliving(server, name, request.node))
        yield server
        next(steps, None)
    finally:
        if checkpoints is not None:
            checkpoints.remove(server)
        if server not in State.servers:  # no fixture of the last test's, but in its report if it fails now
            State.servers.append(server)
        verdict.finish([server])


def set_up(setup: Callable[..., Any], server: object, name: str) -> Iterator[None]:
    """Run the set-up function up to its end or its `yield`, then the rest of it."""
    __tracebackhide__ = True
    result = setup(server=server)
    is_generator = inspect.isgenerator(result)
    value = next(result, None) if is_generator else result
    if value is not None and value is not server:
        raise UsageError(f"fixture {name}: it gave {value!r}; expected nothing, since its value is the server")
    yield
    if is_generator and next(result, result) is not result:
        raise UsageError(f"fixture {name}: it has a second yield; expected one at most")
