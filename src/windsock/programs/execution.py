"""The execution of a program through all its starts: its process, its output, and the address that it listens on."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from windsock.errors import UsageError
from windsock.net.deadlines import to_stop
from windsock.net.interrupts import uninterrupted
from windsock.net.system import monotonic, os
from windsock.programs.errors import ProgramEnded, ProgramError, ProgramStuck, ending_of
from windsock.programs.options import ProgramOptions
from windsock.programs.output import ProgramOutput
from windsock.programs.ownership import find_strays
from windsock.programs.process import Process
from windsock.programs.workspace import Workspace

__all__ = ["Execution", "in_background", "name_of"]

DRAIN = 0.2
"""Seconds to wait for the rest of the output of a program that has ended."""
FOREGROUND = "tell it to stay in the foreground, as with --daemonize no, -D, -F or `daemon off;`"


class Execution:
    """A program that is executed once or several times, in the same workspace.

    `server` returns the running program that probes get; `output_start` is the value of `output.total` at the last
    start, `began` its monotonic time; `address` is what the program listens on, None without an address.
    """

    def __init__(self, options: ProgramOptions, name: str, server: Callable[[], object]) -> None:
        self.options = options
        self.name = name
        self.server = server
        self.output: ProgramOutput = ProgramOutput()
        self.output_start: int = 0
        self.began: float = monotonic()
        self.workspace: Workspace = Workspace(options)
        self.address: Any = self.workspace.placeholders.main()
        self._process: Process | None = None
        self._exit_code: int | None = None

    # --- its state

    @property
    def process(self) -> Process:
        """Its process. Raises UsageError while it is down."""
        if self._process is None:
            raise UsageError(f"{self.name} is down")
        return self._process

    @property
    def pid(self) -> int | None:
        """The process id, or None while it is down."""
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process is not None and not self._process.has_ended

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process that ended last; None if none has, or it is unknown."""
        return self._exit_code if self._process is None else self._process.exit_code

    @property
    def has_failed(self) -> bool:
        """Whether the process has ended by itself, with another code than 0."""
        return self._process is not None and self._process.has_ended and bool(self._process.exit_code)

    @property
    def known_address(self) -> Any:
        """Its address. Raises UsageError for a program without one."""
        if self.address is None:
            raise UsageError(f"{self.name} has no address: neither {{port}} nor {{path}} is in its command")
        return self.address

    def state(self) -> str:
        """Return the state in words."""
        if self._process is None:
            return "down"
        return f"pid {self._process.pid}" if self.is_running else ending_of(self._process.exit_code)

    def error(self, what: str) -> ProgramEnded:
        """Return an error for an end of the process, with the last lines of its output."""
        self.output.drain(DRAIN)
        return ProgramEnded(self.workspace.command, what, self.exit_code, self.output.lines)

    # --- its starts

    @uninterrupted
    def launch(self) -> None:
        """Start the process, and read its output. A signal's handler comes later: the process could not be killed."""
        self.output_start = self.output.total
        self.began = monotonic()
        with self.workspace.launch() as launch:
            pid, descriptor = launch.start()
        self._process = Process(pid)
        self.output.read_from(descriptor, f"windsock output of {self.name}")

    def use_port(self, port: int) -> None:
        """Use a port that the program has chosen itself."""
        self.address = self.workspace.placeholders.host, port

    def choose_ports_anew(self) -> None:
        """Choose other ports, since these are taken."""
        self.workspace.choose_ports_anew()
        self.address = self.workspace.placeholders.main()

    # --- its ends

    def kill(self) -> None:
        """Kill all of it, if there is something."""
        if self._process is not None:
            self._process.kill()
            self.strays()  # orphans in sessions of their own
            self._put_away()

    def end(self) -> ProgramError | None:
        """End the process, if there is one, and what it has left in the background; return what is wrong with that."""
        process = self._process
        if process is None:
            return None
        strays = self.strays() if process.has_ended and process.exit_code == 0 else []
        was_killed = process.end(self.options.stop_signal, to_stop(self.options.stop_timeout))
        failure: ProgramError | None = self._stuck() if was_killed else None
        self.strays()  # orphans in sessions of their own, which are no failure
        if strays and self.options.strict:
            failure = self.error(f"exited with code 0{in_background(strays)}")
        self._put_away()
        return failure

    def strays(self) -> list[int]:
        """Kill what the ended program has left in the background; return the pids."""
        workspace = self.workspace
        found = find_strays(self.process, workspace.executable, workspace.mark, workspace.placeholders.ports)
        if found:
            self.process.kill(found)
        return [each.pid for each in found]

    def _put_away(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self._exit_code = process.exit_code
            self.output.drain(DRAIN)
            self.output.close()
            process.release()

    def _stuck(self) -> ProgramStuck:
        name = signal.Signals(self.options.stop_signal).name
        return ProgramStuck(
            self.workspace.command,
            f"did not end within {self.options.stop_timeout:g} s of {name} and was killed; "
            "pass a longer stop_timeout=, another stop_signal=, or stop_signal=signal.SIGKILL if it never does",
            None,
            self.output.lines,
        )


def in_background(strays: list[int]) -> str:
    """Return in words what a program has left in the background, and what to do about it."""
    if strays:
        left = ", ".join(map(str, strays))
        return f", and left a process in the background (pid {left}), which was killed: {FOREGROUND}"
    return f"; if it goes into the background, {FOREGROUND}"


def name_of(options: ProgramOptions) -> str:
    """Return the name of a program in reports."""
    return options.name or os.path.basename(options.command[0])
