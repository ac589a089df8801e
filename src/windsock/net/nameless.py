"""Files without a name: processes share them by their descriptors, and nothing is left of them."""

from __future__ import annotations

import errno
import os
import tempfile

from windsock.errors import RecordingFailed

__all__ = ["directory", "nameless_file"]


def nameless_file(purpose: str, *, is_large: bool) -> int:
    """Return the descriptor of a new file without a name.

    A large one is in the temporary directory, so that it takes no memory for good, any other one in memory
    (memfd_create(2)); where that can't be, it is the other way round. Raises RecordingFailed, which says what it was
    for, if neither can be.
    """
    try:
        return _on_disk() if is_large else _in_memory()
    except OSError as error:
        try:
            return _in_memory() if is_large else _on_disk()
        except OSError as second:
            cause = error if is_large else second
            raise RecordingFailed(f"no file can be made for {purpose}", directory(), cause) from cause


def directory() -> str:
    """Return the temporary directory, also if it is of no use."""
    return str(tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp")  # to be named, not used


def _on_disk() -> int:
    with tempfile.TemporaryFile(prefix="windsock-", buffering=0) as file:
        return os.dup(file.fileno())


def _in_memory() -> int:
    if not hasattr(os, "memfd_create"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return os.memfd_create("windsock")
