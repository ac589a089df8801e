"""One program for a whole run under xdist: the first worker that needs it starts it, the others connect to it.

The workers agree by locks on files in the run's temporary directory (flock(2)), which the kernel releases if a worker
crashes: "owner" is held by the worker that has started the program, whose end is the program's too; "change" while one
of them starts it, or looks where it is; "workers", one for all programs, by each worker until its tests are over.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_windsock import checkpoints, verdict
from pytest_windsock.file_lock import FileLock
from pytest_windsock.fixtures import State
from pytest_windsock.shared_server import POLL, SharedServer
from windsock.errors import UsageError
from windsock.net.system import monotonic, os, sleep
from windsock.programs.errors import ProgramError

if TYPE_CHECKING:
    from pytest_windsock.factories import Missing
    from windsock.programs.options import ProgramOptions
    from windsock.programs.running import RealServer
    from windsock.proxies.proxy import FaultProxy

__all__ = ["ProgramFixture", "begin", "check_shared", "serve"]

NAME = "windsock_shared_programs"
DIRECTORY = "windsock-shared"
LAST_USE = 3600.0
"""Seconds in which the other workers have to have ended, once this one has."""


@dataclass(frozen=True, slots=True)
class ProgramFixture:
    """A fixture of `pytest_windsock.program()`: its name, and the values that it was made with."""

    name: str
    options: ProgramOptions
    missing: Missing
    setup: Callable[..., Any]
    reset: Callable[[RealServer], object] | None


class SharedPrograms:
    """The shared programs that this worker uses, until the end of its run."""

    def __init__(self, directory: Path) -> None:
        self.servers: list[SharedServer] = []
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._workers = FileLock(directory / "workers")
        self._workers.share()

    def add(self, key: str, *options: Any) -> SharedServer:
        """Return the program of that key, which all workers know it by."""
        made = SharedServer(self._directory / re.sub(r"\W", "_", key), *options)
        self.servers.append(made)
        return made

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Stop those that were started here, once the tests of all workers are over.

        No fixture can: its end is a part of the last test, and would have to wait for the tests of others.
        """
        self._workers.release()
        until = monotonic() + LAST_USE
        try:
            while any(each.own for each in self.servers) and not self._workers.take() and monotonic() < until:
                sleep(POLL)
        finally:
            self._workers.close()
            for each in self.servers:
                with contextlib.suppress(ProgramError):  # no test is left that could fail
                    each.end()


class _Outliving(checkpoints.Outliving):
    def show(self) -> None:
        """Show its output in the reports of the test that begins, in the worker that has started it."""
        if self.server.own is not None:
            State.programs.append(self.server.own)

    def begin(self, item: pytest.Item) -> None:
        """Have it run; judge it once the test's own fixtures are gone."""
        self.server.refresh()
        item.addfinalizer(partial(verdict.finish, [_TestOfShared(self.server)]))


class _TestOfShared:
    """The part of one test in the life of a shared program."""

    def __init__(self, server: SharedServer) -> None:
        self._server = server

    def finish(self) -> None:
        """Remove the test's proxy; raise what went wrong in this test, in the worker that has started the program."""
        __tracebackhide__ = True
        self._server.remove_proxy()
        own = self._server.own
        if own is None:
            return
        own.output.catch_up()  # what comes later is of the next test
        failure = own.failure()
        if failure is not None:
            own.excuse([failure])
            raise failure

    def stop(self) -> None:
        """Do nothing: it runs on."""


def serve(
    request: pytest.FixtureRequest,
    fixture: ProgramFixture,
    start: Callable[[], RealServer],
    make_proxy: Callable[..., FaultProxy],
) -> Iterator[SharedServer]:
    """Give the run's program to a worker. Raises UsageError for a set-up function that yields."""
    __tracebackhide__ = True
    name, setup = fixture.name, fixture.setup
    if inspect.isgeneratorfunction(setup):
        raise UsageError(
            f"program(shared=True): {name} has a yield; expected a function that is over before the first "
            "test, since the program ends with the last worker"
        )

    def start_and_set_up() -> RealServer:
        started = start()
        try:
            next(checkpoints.set_up(setup, started, name))
        except BaseException:
            started.stop()
            raise
        return started

    shared = _programs_of(request).add(_key(setup), name, fixture.options, start_and_set_up, make_proxy)
    outlivers: Any = request.config.pluginmanager.get_plugin(checkpoints.NAME)
    try:
        shared.attach()
        outlivers.add(_Outliving(shared, name, request.node))
        yield shared
    finally:
        outlivers.remove(shared)


def check_shared(shared: Any, scope: Any, reset: object) -> None:
    """Raise UsageError for options that a program of the whole run cannot have."""
    if not isinstance(shared, bool):
        raise UsageError(f"program(shared={shared!r}): expected True or False")
    if shared and scope != "session":
        raise UsageError(f"program(shared=True, scope={scope!r}): one program for the run needs scope='session'")
    if shared and reset is not None:
        raise UsageError("program(shared=True, reset=...): tests of other workers use it meanwhile; leave reset out")


def begin(config: pytest.Config) -> None:
    """Have the programs of other workers live as long as this one's tests. To be called before any test begins."""
    directory = getattr(config.option, "basetemp", None)
    if hasattr(config, "workerinput") and directory is not None:
        config.pluginmanager.register(SharedPrograms(Path(directory).parent / DIRECTORY), NAME)


def _programs_of(request: pytest.FixtureRequest) -> SharedPrograms:
    manager = request.config.pluginmanager
    if (found := manager.get_plugin(NAME)) is None:  # no worker, so there are no others
        found = SharedPrograms(request.getfixturevalue("tmp_path_factory").getbasetemp() / DIRECTORY)
        manager.register(found, NAME)
    made: SharedPrograms = found
    return made


def _key(setup: Callable[..., Any]) -> str:
    """Return what all workers know a program by: modules may share a name, such as conftest, but not a file."""
    function = getattr(setup, "func", setup)  # without the other fixtures that it gets
    file = zlib.crc32(os.fsencode(inspect.getfile(function)))
    return f"{function.__qualname__}_{file:08x}"
