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
from windsock.programs.place import ProgramPlace

if TYPE_CHECKING:
    from windsock.programs.options import ProgramOptions
    from windsock.programs.running import RealServer

__all__ = ["POLL", "SharedServer"]

POLL = 0.02
"""Seconds between two attempts to take a lock."""
START = 60.0
"""Seconds, besides the program's own time to get ready, in which another worker has to have started it or given up."""
LIFE = ("finish", "kill", "outage", "pause", "restart", "resume", "stop")
PROCESS = ("command", "exit_code", "is_running", "is_stopped", "output", "pid", "process")


class SharedServer(ProgramPlace):
    """A real program that all workers of a run use. A proxy in front of it, and its faults, are a test's own.

    Its life is none of a single test's: `kill()`, `restart()` and the like raise UsageError.
    """

    def __init__(
        self, directory: Path, name: str, options: ProgramOptions, start: Callable[[], RealServer], make_proxy: Any
    ) -> None:
        super().__init__(name, options, make_proxy)
        self.own: RealServer | None = None
        """The program, in the worker that has started it."""
        self._start = start
        self._facts: dict[str, Any] = {}
        self._file = directory / "facts.json"
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
    def direct_address(self) -> Any:
        """The program's own address, also with a proxy in front."""
        return _as_address(self._facts["address"])

    @property
    def addresses(self) -> dict[str, Any]:
        """The program's own addresses, by the names of their placeholders."""
        return {name: _as_address(each) for name, each in self._facts["addresses"].items()}

    @property
    def directory(self) -> str:
        """Its private directory, `{tmp}`."""
        return str(self._facts["directory"])

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
