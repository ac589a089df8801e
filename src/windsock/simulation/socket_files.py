"""The files of Unix sockets: real ones, so that a program finds them where the sockets are bound."""

from __future__ import annotations

import errno
import stat
from os import mknod  # neither waits
from os import stat as status

from windsock.net.system import os

__all__ = ["RealFiles"]


class RealFiles:
    """Makes and finds socket files in the file system. A key is a file's device and inode."""

    def create(self, path: str) -> tuple[int, int]:
        """Create a socket file; return its key. Raises OSError (EADDRINUSE if the path exists)."""
        try:
            mknod(path, stat.S_IFSOCK | 0o777)
        except FileExistsError:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from None
        return self._key(path)

    def find(self, path: str) -> tuple[int, int]:
        """Return the key of a socket file. Raises OSError (ENOENT, ECONNREFUSED if it is another kind of file)."""
        if not stat.S_ISSOCK(status(path).st_mode):
            raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        return self._key(path)

    def _key(self, path: str) -> tuple[int, int]:
        found = status(path)
        return found.st_dev, found.st_ino
