"""Files without a name: processes share them by their descriptors, and nothing is left of them."""

from __future__ import annotations

import os
import tempfile

from windsock.errors import RecordingFailed

__all__ = ["directory", "nameless_file"]


def nameless_file(purpose: str) -> int:
    """Return the descriptor of a new file without a name.

    It is in the temporary directory, where much data takes no memory for good. Where no file can be made, it is in
    memory (memfd_create(2)). Raises RecordingFailed, which says what it was for, if neither can be had.
    """
    try:
        with tempfile.TemporaryFile(prefix="windsock-", buffering=0) as file:
            return os.dup(file.fileno())
    except OSError as error:
        try:
            return os.memfd_create("windsock")
        except (AttributeError, OSError):
            raise RecordingFailed(f"no file can be made for {purpose}", directory(), error) from error


def directory() -> str:
    """Return the temporary directory, also if it is of no use."""
    return str(tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp")  # to be named, not used
