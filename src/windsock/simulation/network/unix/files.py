"""The files that Unix sockets are bound to, as a table: a stand-in for the file system."""

from __future__ import annotations

import errno
from collections.abc import Hashable
from typing import Protocol

from windsock.simulation.network.failure import failure

__all__ = ["FilesInMemory", "SocketFiles"]


class SocketFiles(Protocol):
    """Where the names of Unix sockets are. A key identifies a file as device and inode do: it is not used again."""

    def create(self, path: str) -> Hashable:
        """Create a socket file; return its key. Raises OSError (EADDRINUSE if the path exists, ENOENT, ...)."""
        ...

    def find(self, path: str) -> Hashable:
        """Return the key of a socket file. Raises OSError (ENOENT, ECONNREFUSED if it is another kind of file)."""
        ...

    def release(self, key: Hashable) -> None:
        """Note that the socket of a file is closed: its key may be used again. Does nothing for other keys."""
        ...


class FilesInMemory:
    """A table of files without directories."""

    def __init__(self) -> None:
        self._files: dict[str, object | None] = {}

    def create(self, path: str) -> Hashable:
        """Add a socket file."""
        if path in self._files:
            raise failure(errno.EADDRINUSE)
        key = self._files[path] = object()
        return key

    def find(self, path: str) -> Hashable:
        """Return the key of a socket file."""
        if path not in self._files:
            raise failure(errno.ENOENT)
        key = self._files[path]
        if key is None:
            raise failure(errno.ECONNREFUSED)
        return key

    def release(self, key: Hashable) -> None:
        """Do nothing: no key is used again."""

    def write(self, path: str) -> None:
        """Add an ordinary file."""
        self._files[path] = None

    def unlink(self, path: str) -> None:
        """Remove a file. Raises OSError (ENOENT)."""
        if path not in self._files:
            raise failure(errno.ENOENT)
        del self._files[path]
