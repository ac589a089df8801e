"""The files of Unix sockets: real ones, so that a program finds them where the sockets are bound."""

from __future__ import annotations

import errno
import stat
from collections.abc import Hashable
from os import O_CLOEXEC, mknod  # none of these waits
from os import close as close_file
from os import open as open_file
from os import stat as status

from windsock.net.system import os

__all__ = ["RealFiles"]

PATH_ONLY: int = getattr(os, "O_PATH", 0)
"""The flag that opens a file without reading it, where there is one."""


class RealFiles:
    """Makes and finds socket files in the file system. A key is a file's device and inode.

    While its socket is open, a file is kept open too: like the kernel's, its inode is not used again if it is removed.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, int] = {}

    def create(self, path: str) -> tuple[int, int]:
        """Create a socket file; return its key. Raises OSError (EADDRINUSE if the path exists)."""
        try:
            mknod(path, stat.S_IFSOCK | 0o777)
        except FileExistsError:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from None
        key = self._key(path)
        if PATH_ONLY:
            self._kept[key] = open_file(path, PATH_ONLY | O_CLOEXEC)
        return key

    def release(self, key: Hashable) -> None:
        """Keep the file of a socket that is closed no longer. Does nothing for other keys."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            close_file(kept)

    def close(self) -> None:
        """Keep no file any longer: the world is over."""
        for key in list(self._kept):
            self.release(key)

    def find(self, path: str) -> tuple[int, int]:
        """Return the key of a socket file. Raises OSError (ENOENT, ECONNREFUSED if it is another kind of file)."""
        if not stat.S_ISSOCK(status(path).st_mode):
            raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        return self._key(path)

    def _key(self, path: str) -> tuple[int, int]:
        found = status(path)
        return found.st_dev, found.st_ino
