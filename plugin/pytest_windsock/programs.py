"""Real programs in fixtures: those of the running test, and those that outlive it, reset between tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_windsock import checkpoints, deadline, hangs, seeds, shared_programs, verdict
from pytest_windsock.fixtures import State
from pytest_windsock.ini_values import timeout_of
from pytest_windsock.shared_programs import ProgramFixture
from pytest_windsock.shared_server import SharedServer
from windsock.errors import NotInstalled, UsageError
from windsock.net.system import os
from windsock.programs.keywords import options_from
from windsock.programs.options import ProgramOptions
from windsock.programs.running import RealServer
from windsock.proxies.proxy import FaultProxy

if TYPE_CHECKING:
    from pytest_windsock.factories import Missing, RealServers

__all__ = ["check_missing", "real_servers", "serve", "serve_shared"]

REQUIRED = "WINDSOCK_REQUIRE_PROGRAMS"
"""The environment variable that is "1" where every program has to be installed, as in CI."""


def real_servers() -> Iterator[RealServers]:
    """Give the factory of real programs, and finish them, the latest first."""
    __tracebackhide__ = True
    started: list[RealServer] = []

    def start(command: Any, /, *, missing: Any = "fail", **options: Any) -> RealServer:
        __tracebackhide__ = True
        check_missing("real_server", missing)
        made = _started(options_from(command, **options), missing)
        started.append(made)
        State.programs.append(made)
        return made

    try:
        yield start
    finally:
        verdict.finish(started)


def serve(request: pytest.FixtureRequest, fixture: ProgramFixture) -> Iterator[RealServer]:
    """Start the program of a fixture, set it up, and give it; stop it at the end of the scope."""
    __tracebackhide__ = True
    server = _started(fixture.options, fixture.missing)
    State.programs.append(server)
    steps = checkpoints.set_up(fixture.setup, server, fixture.name)
    outlivers: Any = None
    if request.scope != "function":
        outlivers = request.config.pluginmanager.get_plugin(checkpoints.NAME)
    try:
        next(steps)
        if outlivers is not None:
            outlivers.add(OutlivingProgram(server, fixture.name, request.node, fixture.reset))
        yield server
        next(steps, None)
    finally:
        if outlivers is not None:
            outlivers.remove(server)
        if server not in State.programs:  # of no fixture of the last test's, but in its report if it fails now
            State.programs.append(server)
        verdict.finish([server])


def serve_shared(request: pytest.FixtureRequest, fixture: ProgramFixture) -> Iterator[SharedServer]:
    """Give the program that all workers of the run use; start it if it is not there yet."""
    __tracebackhide__ = True
    start = partial(_started, fixture.options, fixture.missing)
    yield from shared_programs.serve(request, fixture, start, _proxy_of_test)


class OutlivingProgram(checkpoints.Outliving):
    """A program whose fixture has a wider scope than one test, and what resets it between two of them."""

    def __init__(self, server: RealServer, name: str, node: Any, reset: Callable[[RealServer], object] | None) -> None:
        super().__init__(server, name, node)
        self._reset = reset
        self._is_fresh = True

    def show(self) -> None:
        """Show its output in the reports of the test that begins."""
        State.programs.append(self.server)

    def begin(self, item: pytest.Item) -> None:
        """Have it run, and reset it, unless this is the first test; judge it once the test's own fixtures are gone."""
        item.addfinalizer(partial(verdict.finish, [_TestOfProgram(self.server)]))
        if self._is_fresh:
            self._is_fresh = False
            return
        if self.server.is_stopped:
            raise UsageError(f"a test has called stop() of {self.server.name}, which ends it for good; call kill()")
        if not self.server.is_running:
            self.server.restart()
        self.server.resume()
        if self._reset is not None:
            self._reset(self.server)


@dataclass(frozen=True, slots=True)
class _TestOfProgram:
    """The part of one test in the life of a program."""

    server: RealServer

    def finish(self) -> None:
        """Remove the test's proxy; raise what went wrong in this test."""
        __tracebackhide__ = True
        self.server.output.catch_up()  # what comes later is of the next test
        self.server.remove_proxy()
        failure = self.server.failure()
        if failure is not None:
            self.server.excuse([failure])
            raise failure

    def stop(self) -> None:
        """Do nothing: it runs on."""


def check_missing(call: str, missing: Any) -> None:
    """Raise UsageError for an invalid value of `missing=`."""
    if missing not in ("fail", "skip"):
        raise UsageError(f"{call}(missing={missing!r}): expected 'fail' or 'skip'")


def _started(options: ProgramOptions, missing: Missing) -> RealServer:
    __tracebackhide__ = True
    deadline.hand_over()
    hangs.begin(State.item)
    try:
        return RealServer(options, _proxy_of_test)
    except NotInstalled as error:
        if missing == "skip":
            _skip(error)
        raise


def _skip(error: NotInstalled) -> None:
    """Skip the test whose program is not installed, unless it has to be."""
    if os.environ.get(REQUIRED) == "1":
        error.add_note(f"missing='skip' skips no test, since {REQUIRED} is 1")
    else:
        pytest.skip(str(error))


def _proxy_of_test(address: Any, **options: Any) -> FaultProxy:
    """Start the proxy in front of a program; its recording is in the test's report."""
    item, number = State.item, len(State.servers)
    seed = seeds.seed_of_server(item, number)
    made = FaultProxy(address, timeout=timeout_of(item.config), seed=seed, **options)
    State.servers.append(made)
    return made
