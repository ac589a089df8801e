"""A lock between processes."""

from __future__ import annotations

from pathlib import Path

from windsock.net.system import fcntl, os

__all__ = ["FileLock"]


class FileLock:
    """A lock on a file (flock(2)), which the kernel releases at the latest with the process."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> bool:
        """Take it for this process alone, if it is to be had at once; return whether it was."""
        return self._take(fcntl.LOCK_EX)

    def share(self) -> bool:
        """Take it, or go on with it, as one of several processes; return whether that was possible at once."""
        return self._take(fcntl.LOCK_SH)

    def release(self) -> None:
        """Release it, also where a forked child has a copy."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release it, and close the file. Idempotent."""
        if self._descriptor >= 0:
            self.release()
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, how: int) -> bool:
        try:
            fcntl.flock(self._descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
