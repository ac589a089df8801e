"""Forks that are known to have gone well: a child that gets stuck in its rehearsal is replaced."""

from __future__ import annotations

import signal
from collections.abc import Callable

from windsock.net.system import os, select

__all__ = ["fork"]

PATIENCE = 0.5
"""Seconds that a child may take for its rehearsal."""
ATTEMPTS = 5


def fork(plain_fork: Callable[[], int], rehearse: Callable[[], None]) -> int:
    """Fork, and have the child rehearse; return as os.fork() does once a child has come through.

    Raises RuntimeError if none does. What the child is going to need may be locked by a thread that it has not
    got; it is better to find out before it has taken a request that no other child can take any more.
    """
    for _ in range(ATTEMPTS):
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
        if pid == 0 or _has_come_through(reader):
            return pid
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    raise RuntimeError(f"{ATTEMPTS} children in a row got stuck right after the fork, on locks of other threads")


def _has_come_through(reader: int) -> bool:
    """Wait for the child's word; the end of the pipe says that it has died."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    try:
        return bool(poll.poll(PATIENCE * 1000)) and os.read(reader, 1) == b"!"
    finally:
        os.close(reader)
