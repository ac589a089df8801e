"""Whether a child process has ended; its exit status is left to the code that waits for it."""

from __future__ import annotations

from windsock.net.system import os, platform

__all__ = ["has_ended"]


def has_ended(pid: int) -> bool | None:
    """Return whether a child of this process has ended; None if its exit status was taken, or it is no child.

    On Linux, one that has closed all its files has ended as well: its exit can be seen only a moment later.
    """
    try:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
    except ChildProcessError:
        return None
    return _has_no_files(pid)


def _has_no_files(pid: int) -> bool:
    if platform != "linux":
        return False
    try:
        return not os.listdir(f"/proc/{pid}/fd")
    except FileNotFoundError:
        return True
    except OSError:
        return False
