"""Launching: what a process does before it becomes the program, in a small shell that the program replaces.

The shell tells the watcher its pid, limits itself, and changes its directory. No Python code runs between fork(2) and
execve(2), so that threads of this process do not matter.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windsock.net.system import fcntl, os
from windsock.programs.limits import shell_lines
from windsock.programs.watcher import SHELL, announcer, remember

__all__ = ["FIRST_SOCKET", "Launch"]

FIRST_SOCKET = 3
"""The first descriptor that is passed to a program for socket activation (sd_listen_fds(3))."""
OUT_OF_THE_WAY = 64
"""Descriptors from here on are not those that sockets are passed as."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command that is ready to run: its words, environment, directory and limits; `sockets` are passed to it."""

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    limits: Mapping[str, int]
    sockets: Sequence[Any] = ()

    def start(self) -> tuple[int, int]:
        """Start it; return its pid, and the descriptor of a pipe with its output.

        It is the leader of a session and a process group of its own.
        """
        tell = announcer()
        reader, writer = os.pipe()
        passed = []
        try:
            passed = [fcntl.fcntl(each.fileno(), fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY) for each in self.sockets]
            pid = os.posix_spawn(
                SHELL,
                [SHELL, "-c", self._script(), self.directory, *self.command],
                self._environment(),
                file_actions=_files(tell, writer, passed),
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGINT),
            )
            remember(pid)
        except BaseException:
            os.close(reader)
            raise
        finally:
            for each in (writer, *passed):
                os.close(each)
        return pid, reader

    def _script(self) -> str:
        lines = ['echo "+$$"', "exec >&2", *shell_lines(self.limits), 'cd "$0" || exit 125']
        if self.sockets:
            lines.append("export LISTEN_PID=$$")
        return "\n".join([*lines, 'exec "$@"'])

    def _environment(self) -> dict[str, str]:
        if not self.sockets:
            return dict(self.environment)
        return {**self.environment, "LISTEN_FDS": str(len(self.sockets))}


def _files(tell: int, output: int, passed: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return what the shell's descriptors are: its stdout goes to the watcher, that of the program to `output`."""
    actions: list[tuple[Any, ...]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, tell, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    return actions + [(os.POSIX_SPAWN_DUP2, each, FIRST_SOCKET + place) for place, each in enumerate(passed)]
