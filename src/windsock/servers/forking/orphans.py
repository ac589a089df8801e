"""A forked child ends once its parent has: nothing else would, if the parent was killed."""

from __future__ import annotations

import functools
import signal
from typing import Any

from windsock.net.system import os, platform

__all__ = ["end_with_parent", "prepare"]

PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>
SIGNAL: int = getattr(signal, "SIGURG", 0)


@functools.cache
def prepare() -> Any:
    """Return prctl(2), or None where there is none. Called before a fork: a child should not have to load it."""
    if platform != "linux":
        return None
    try:
        import ctypes

        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None


def end_with_parent(parent: int) -> None:
    """Have this child exit once its parent, a process id, has ended. In the child's main thread.

    The kernel sends the signal when the *thread* that forked has ended (prctl(2), PR_SET_PDEATHSIG), which a server's
    loop may do long before its process. The child's parent is the main thread of that process from then on, so the
    next signal is one that needs no handler: a second SIGURG right behind the first might come between the first one's
    handler and a system call that blocks, which would not notice it. (So may the first one, if the process is killed at
    that very moment of the child.)
    """
    prctl = prepare()
    if prctl is None:
        return

    def exit_without_parent() -> None:
        if os.getppid() != parent:
            os._exit(1)

    def thread_ended(*_: object) -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        exit_without_parent()

    signal.signal(SIGNAL, thread_ended)
    prctl(PR_SET_PDEATHSIG, SIGNAL, 0, 0, 0)
    exit_without_parent()  # it may have ended just now
