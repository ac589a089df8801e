"""The names of Unix sockets: files, which hosts share, and abstract names, which each host has for itself."""

from __future__ import annotations

import errno
from collections.abc import Hashable
from itertools import count
from typing import TYPE_CHECKING

from windsock.simulation.network.failure import failure
from windsock.simulation.network.unix.files import SocketFiles

if TYPE_CHECKING:
    from windsock.simulation.network.host import Host
    from windsock.simulation.network.unix.socket import Name, UnixSocket

__all__ = ["UnixNames"]


class UnixNames:
    """Which socket has which name."""

    def __init__(self, files: SocketFiles) -> None:
        self._files = files
        self._by_file: dict[Hashable, UnixSocket] = {}
        self._numbers = count(1)

    def add(self, host: Host, name: Name, owner: UnixSocket) -> Name:
        """Give a name to a socket, or an abstract one in place of ""; return it. Raises OSError (EADDRINUSE, ...)."""
        if isinstance(name, str) and name:
            self._by_file[self._files.create(name)] = owner
            return name
        key = name or b"\0%05x" % next(self._numbers)
        if key in host.abstract_names:
            raise failure(errno.EADDRINUSE)
        host.abstract_names[key] = owner
        return key

    def find(self, host: Host, name: Name) -> UnixSocket:
        """Return the open socket of a name. Raises OSError: ENOENT, ECONNREFUSED, EINVAL for ""."""
        if not name:
            raise failure(errno.EINVAL)
        found = self._by_file.get(self._files.find(name)) if isinstance(name, str) else host.abstract_names.get(name)
        if found is None:
            raise failure(errno.ECONNREFUSED)
        return found

    def remove(self, host: Host, owner: UnixSocket) -> None:
        """Forget the names of a socket that is closed."""
        for names in (self._by_file, host.abstract_names):
            for key in [key for key, value in names.items() if value is owner]:
                del names[key]
