"""Forks with a check: a child that hangs right after the fork is replaced."""

from __future__ import annotations

import signal
from collections.abc import Callable

from windsock.net.system import os, select

__all__ = ["fork"]

PATIENCE = 0.5
"""Seconds that the first child may take for its rehearsal. Each further one may take twice as long: perhaps the machine
is busy."""
ATTEMPTS = 5


def fork(plain_fork: Callable[[], int], rehearse: Callable[[], None]) -> int:
    """Fork, have the child call `rehearse()`, and return as os.fork() does once a child has completed it.

    Raises RuntimeError if none does. A thread that does not exist in the child may hold locks that the child
    needs; the rehearsal finds that out before the child has taken a request, which no other child could take.
    """
    for attempt in range(ATTEMPTS):
        reader, writer = os.pipe()
        pid = -1
        try:
            pid = plain_fork()
            if pid == 0:
                rehearse()
                os.write(writer, b"!")
        finally:
            os.close(writer)
            if pid <= 0:
                os.close(reader)
        if pid == 0 or _has_come_through(reader, PATIENCE * 2**attempt):
            return pid
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    raise RuntimeError(f"{ATTEMPTS} children in a row got stuck right after the fork, on locks of other threads")


def _has_come_through(reader: int, patience: float) -> bool:
    """Wait `patience` seconds for the child's byte; return False if it hangs or dies (the end of the pipe)."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    try:
        return bool(poll.poll(patience * 1000)) and os.read(reader, 1) == b"!"
    finally:
        os.close(reader)
