"""A real program that all workers of a run use: where it is, and which of them has started it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_windsock.file_lock import FileLock
from windsock.errors import UsageError, WaitTimeout
from windsock.net.system import monotonic, sleep

if TYPE_CHECKING:
    from windsock.faults import FaultHandle
    from windsock.programs.options import ProgramOptions
    from windsock.programs.running import RealServer
    from windsock.proxies.proxy import FaultProxy

__all__ = ["POLL", "SharedServer"]

POLL = 0.02
"""Seconds between two attempts to take a lock."""
START = 60.0
"""Seconds, besides the program's own time to get ready, in which another worker has to have started it or given up."""
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
        self._change, self._owner = (FileLock(directory / each) for each in ("change", "owner"))

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
        seconds = self.options.timeout + START
        until = monotonic() + seconds
        while not self._change.take():
            if monotonic() > until:
                raise WaitTimeout(f"{self.name}: another worker did not start it within {seconds:g} s")
            sleep(POLL)
        try:
            yield
        finally:
            self._change.release()


def _as_address(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
