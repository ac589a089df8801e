"""The names of Unix sockets: files, which hosts share, and abstract names, which each host has for itself."""

from __future__ import annotations

import errno
from collections.abc import Hashable
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

from windsock.simulation.network.failure import failure
from windsock.simulation.network.unix.files import SocketFiles

if TYPE_CHECKING:
    from windsock.simulation.network.simulated_socket import SimulatedSocket

__all__ = ["Name", "UnixNames"]

Name: TypeAlias = "str | bytes"
"""A path, or the bytes of an abstract name, the first of which is zero. "" is no name."""


class UnixNames:
    """Which socket has which name: by the key of its file, or by its host's name and its abstract name."""

    def __init__(self, files: SocketFiles) -> None:
        self._files = files
        self._owners: dict[Hashable, SimulatedSocket] = {}
        self._numbers = count(1)

    def add(self, host: str, name: Name, owner: SimulatedSocket) -> Name:
        """Give a name to a socket, or an abstract one in place of ""; return it. Raises OSError (EADDRINUSE, ...)."""
        if isinstance(name, str) and name:
            self._owners[self._files.create(name)] = owner
            return name
        abstract = name or b"\0%05x" % next(self._numbers)
        if (host, abstract) in self._owners:
            raise failure(errno.EADDRINUSE)
        self._owners[host, abstract] = owner
        return abstract

    def find(self, host: str, name: Name) -> SimulatedSocket:
        """Return the open socket of a name. Raises OSError: ENOENT, ECONNREFUSED, EINVAL for ""."""
        if not name:
            raise failure(errno.EINVAL)
        found = self._owners.get(self._files.find(name) if isinstance(name, str) else (host, name))
        if found is None:
            raise failure(errno.ECONNREFUSED)
        return found

    def remove(self, owner: SimulatedSocket) -> None:
        """Forget the names of a socket that is closed."""
        for key in [key for key, value in self._owners.items() if value is owner]:
            del self._owners[key]
            self._files.release(key)
