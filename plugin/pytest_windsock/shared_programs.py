"""One program for a whole run under xdist: the first worker that needs it starts it, the others connect to it.

The workers agree by locks on files in the run's temporary directory (flock(2)), which the kernel releases if a worker
crashes: "owner" is held by the worker that has started the program, whose end is the program's too; "change" while one
of them starts it, or looks where it is; "workers", one for all programs, by each worker until its tests are over.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_windsock import checkpoints, verdict
from pytest_windsock.fixtures import State
from windsock.errors import UsageError, WaitTimeout
from windsock.net.system import fcntl, monotonic, os, sleep
from windsock.programs.errors import ProgramError

if TYPE_CHECKING:
    from windsock.faults import FaultHandle
    from windsock.programs.options import ProgramOptions
    from windsock.programs.running import RealServer
    from windsock.proxies.proxy import FaultProxy

__all__ = ["SharedServer", "begin", "check_shared", "serve"]

NAME = "windsock_shared_programs"
DIRECTORY = "windsock-shared"
POLL = 0.02
"""Seconds between two attempts to take a lock."""
START = 120.0
"""Seconds in which another worker has to have started the program or given up."""
LAST_USE = 3600.0
"""Seconds in which the other workers have to have ended, once this one has."""
LIFE = ("finish", "kill", "outage", "pause", "restart", "resume", "stop")
PROCESS = ("command", "exit_code", "is_running", "is_stopped", "output", "pid", "process")


class SharedServer:
    """A real program that all workers of a run use. A proxy in front of it, and its faults, are a test's own.

    Its life is none of a single test's: `kill()`, `restart()` and the like raise UsageError.
    """

    def __init__(
        self, directory: Path, name: str, options: ProgramOptions, start: Callable[[], RealServer], make_proxy: Any
    ) -> None:
        self.name = name
        self.options = options
        self.own: RealServer | None = None
        """The program, in the worker that has started it."""
        self._start, self._make_proxy = start, make_proxy
        self._facts: dict[str, Any] = {}
        self._file = directory / "facts.json"
        self._faulty: FaultProxy | None = None
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._change, self._owner = (_Lock(directory / each) for each in ("change", "owner"))

    def __repr__(self) -> str:
        return f"<{self.name} at {self.direct_address}, shared by all workers>"

    def __getattr__(self, name: str) -> Any:
        if name in LIFE:
            raise UsageError(f"{name}(): all workers of the run use this {self.name}; shared=False gives each its own")
        hint = "; shared=False gives each worker a program of its own, which has it" if name in PROCESS else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    # --- where it is

    @property
    def address(self) -> Any:
        """What clients connect to: (host, port), or the path of a Unix socket. With faults, the proxy in front."""
        return self.direct_address if self._faulty is None else self._faulty.address

    @property
    def direct_address(self) -> Any:
        """The program's own address, also with a proxy in front."""
        return _as_address(self._facts["address"])

    @property
    def addresses(self) -> dict[str, Any]:
        """The program's own addresses, by the names of their placeholders."""
        return {name: _as_address(each) for name, each in self._facts["addresses"].items()}

    @property
    def host(self) -> str:
        """The host of `address`."""
        return str(self._ip_address()[0])

    @property
    def port(self) -> int:
        """The port of `address`."""
        return int(self._ip_address()[1])

    @property
    def directory(self) -> str:
        """Its private directory, `{tmp}`."""
        return str(self._facts["directory"])

    @property
    def client_transport(self) -> str | None:
        """The transport that clients need to be told: "udp", or None where the address says it."""
        return "udp" if self.options.transport == "udp" else None

    # --- faults

    @property
    def proxy(self) -> FaultProxy:
        """The proxy in front of it, made on first use in a test; from then on `address` is the proxy's."""
        if self._faulty is None:
            options = {"transport": self.client_transport, "framing": self.options.framing}
            self._faulty = self._make_proxy(self.direct_address, name=f"proxy of {self.name}", **options)
        return self._faulty

    def fault(self, fault: Any, **keywords: Any) -> FaultHandle:
        """Install a fault in a proxy in front of it; `address` is the proxy's from then on. See `FaultProxy.fault`."""
        handle: FaultHandle = self.proxy.fault(fault, **keywords)
        return handle

    def remove_proxy(self) -> None:
        """Finish the proxy in front of it, if there is one. Raises what `finish()` of a proxy does."""
        __tracebackhide__ = True
        faulty, self._faulty = self._faulty, None
        if faulty is not None:
            faulty.finish()

    def _ip_address(self) -> tuple[str, int]:
        from windsock.programs.running import ip_address_of

        return ip_address_of(self.name, self.address)

    # --- who uses it

    def attach(self) -> None:
        """Start the program, unless another worker has: then learn where it is."""
        with self._changing():
            if self._owner.take():
                try:
                    self._begin()
                except BaseException:
                    self._owner.release()
                    raise
            else:
                self._facts = json.loads(self._file.read_text())

    def refresh(self) -> None:
        """Have the program run: start it again if it has died, or with the worker that had started it."""
        if self.own is not None:
            if not self.own.is_running:
                self.own.restart()
        elif self._owner.take():
            self._owner.release()
            self.attach()

    def end(self) -> None:
        """Stop the program, if it was started here."""
        own, self.own = self.own, None
        try:
            if own is not None:
                own.stop()
        finally:
            for each in (self._owner, self._change):
                each.close()

    def _begin(self) -> None:
        server = self.own = self._start()
        self._facts = {
            "address": server.direct_address,
            "addresses": server.addresses,
            "directory": server.directory,
        }
        written = self._file.with_suffix(".part")
        written.write_text(json.dumps(self._facts))
        written.replace(self._file)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        until = monotonic() + START
        while not self._change.take():
            if monotonic() > until:
                raise WaitTimeout(f"{self.name}: another worker did not start or stop it within {START:g} s")
            sleep(POLL)
        try:
            yield
        finally:
            self._change.release()


class SharedPrograms:
    """The shared programs that this worker uses, until the end of its run."""

    def __init__(self, directory: Path) -> None:
        self.servers: list[SharedServer] = []
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._workers = _Lock(directory / "workers")
        self._workers.take(fcntl.LOCK_SH)

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


class _Lock:
    """A lock on a file, released at the latest with the process."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, how: int = fcntl.LOCK_EX) -> bool:
        """Take it, or the share of it (LOCK_SH), if it is to be had at once; return whether it was."""
        try:
            fcntl.flock(self._descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Release it, also where a forked child has a copy."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release it, and close the file. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def serve(
    request: pytest.FixtureRequest,
    name: str,
    options: ProgramOptions,
    start: Callable[[], RealServer],
    setup: Callable[..., Any],
    make_proxy: Callable[..., FaultProxy],
) -> Iterator[SharedServer]:
    """Give the run's program to a worker. Raises UsageError for a set-up function that yields."""
    __tracebackhide__ = True
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

    shared = _programs_of(request).add(_key(setup), name, options, start_and_set_up, make_proxy)
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


def _as_address(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
