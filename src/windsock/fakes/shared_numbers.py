"""Whole numbers in memory that forked children share, behind one lock."""

from __future__ import annotations

import mmap
from typing import Any

from windsock.net.files import nameless_file
from windsock.net.system import os, threading
from windsock.servers.fork_hooks import renew_in_children

__all__ = ["SharedNumbers"]


class SharedNumbers:
    """`count` numbers, 0 at first; in a `with`, no other thread or process reads or changes them.

    The lock is one on a nameless file (fcntl(2)), which the kernel releases if a child is killed, and one for threads.
    Only the memory in use is taken. `purpose` names them in the error if that file cannot be created.
    """

    def __init__(self, count: int, purpose: str) -> None:
        self._lock = threading.Lock()
        self._memory = mmap.mmap(-1, count * 8)
        self.values: Any = memoryview(self._memory).cast("Q")
        """The numbers, to be read without the lock; an empty tuple once they are closed."""
        self._file = nameless_file(purpose, is_large=False)
        renew_in_children(self)

    def __enter__(self) -> Any:
        from windsock.net.system import fcntl

        self._lock.acquire()
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
        except BaseException:
            self._lock.release()
            raise
        return self.values

    def __exit__(self, *_: object) -> None:
        from windsock.net.system import fcntl

        try:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        finally:
            self._lock.release()

    def close(self) -> None:
        """Release the descriptor and the memory."""
        with self._lock:
            values, self.values = self.values, ()
            values.release()
            self._memory.close()
            os.close(self._file)

    def after_fork_in_child(self) -> None:
        """Replace the lock: a thread that does not exist here may hold it."""
        self._lock = threading.Lock()
