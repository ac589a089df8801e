"""Errors of real programs. Each names the command, what happened to the process, and the last lines of its output."""

from __future__ import annotations

import contextlib
import shlex
import signal
from collections.abc import Sequence

from windsock import redaction
from windsock.errors import NotInstalled, PeerError, WaitTimeout

__all__ = ["ProgramEnded", "ProgramError", "ProgramMissing", "ProgramNotReady", "ProgramStuck", "ending_of"]

LAST = 20
"""The lines of output that an error shows."""


class ProgramMissing(NotInstalled):
    """A program is not there. `program` is what was looked for, `places` where, `install` how to install it."""

    def __init__(self, program: str, places: Sequence[str], install: str = "") -> None:
        self.program = program
        self.places = places
        self.install = install
        where = f"in {', '.join(places)}" if places else "at that path, or it may not be executed"
        remedy = (
            f"install it: {install}" if install else "install it, or name its path as the first word of the command"
        )
        super().__init__(f"real_server([{program!r}, ...]): there is no such program {where}; {remedy}")


class ProgramError(PeerError):
    """A real program did not do what the test needs: the base of the errors below.

    `command` is the command as it was run, `exit_code` its exit code (negative: the number of the signal that ended
    it; None: it runs, or that is unknown), `lines` the last lines of its output.
    """

    def __init__(self, command: Sequence[str], what: str, exit_code: int | None, lines: Sequence[str]) -> None:
        self.command: tuple[str, ...] = tuple(command)
        self.exit_code = exit_code
        self.lines: list[str] = list(lines)[-LAST:]
        said = "\n  ".join(["its last lines:", *self.lines]) if self.lines else "it has printed nothing"
        super().__init__(redaction.text(f"{shlex.join(command)}: {what}\n{said}"))


class ProgramEnded(ProgramError):
    """The program has ended, before it was ready or while the test needed it."""


class ProgramNotReady(ProgramError, WaitTimeout):
    """The program runs, but was not ready in time."""


class ProgramStuck(ProgramError):
    """The program did not end when it was asked to, and was killed."""


def ending_of(exit_code: int | None) -> str:
    """Return in words how a process has ended."""
    if exit_code is None:
        return "ended, and other code has taken its exit status"
    if exit_code >= 0:
        return f"exited with code {exit_code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"was ended by signal {-exit_code}"
