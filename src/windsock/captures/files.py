"""Files that are whole or not there, on the real file system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter, FileIO
from typing import IO

from windsock.net.system import os

__all__ = ["make_directory", "new_file"]

BUFFER = 256 * 1024
"""Bytes that are written at a time."""


@contextmanager
def new_file(path: str) -> Iterator[IO[bytes]]:
    """Have a file to write to, which takes the place of `path` at the end of a `with`.

    If the block raises, whatever was at `path` stays. Raises OSError if the file cannot be made or written.
    """
    temporary = f"{path}.{os.urandom(4).hex()}.part"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with BufferedWriter(FileIO(descriptor, "w"), BUFFER) as file:
            yield file
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def make_directory(path: str) -> None:
    """Make a directory, and those above it, unless it is there. Raises OSError if that cannot be."""
    try:
        os.mkdir(path)
    except FileExistsError:
        return  # whatever it is, a file in it cannot be made if it is no directory
    except FileNotFoundError:
        above = os.path.dirname(path)
        if above in ("", path):
            raise
        make_directory(above)
        make_directory(path)
