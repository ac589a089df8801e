"""What Unix sockets of all types have: names, credentials, and a pending error (unix(7))."""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING, Any

from windsock.net.system import os, socket
from windsock.simulation.network.failure import failure
from windsock.simulation.network.simulated_socket import SimulatedSocket
from windsock.simulation.network.unix.names import Name

if TYPE_CHECKING:
    from windsock.simulation.network.socket_host import SocketHost

__all__ = ["UnixSocket"]

LONGEST = 108
"""The most bytes of a name."""
CREDENTIALS = struct.Struct("3i")


class UnixSocket(SimulatedSocket):
    """A Unix socket. It is found by its name while it is open; a file that it has created stays."""

    def __init__(self, host: SocketHost, kind: int) -> None:
        super().__init__(socket.AF_UNIX, kind)
        self.host = host
        self.name: Name = ""
        self.error: int = 0
        self.shut = 0
        """The halves that have ended."""

    def join(self, peer: UnixSocket) -> None:
        """Have a peer from now on, which must join this socket as well."""
        raise NotImplementedError

    # --- names

    def bind(self, address: Any) -> None:
        """Take a name: a path, an abstract name, or "" for any abstract one. Raises OSError (EADDRINUSE, EINVAL)."""
        name = name_from(address, "bind")
        if self.name:
            raise failure(errno.EINVAL)
        self.name = self.host.unix_names.add(self.host.name, name, self)

    def find(self, address: Any) -> SimulatedSocket:
        """Return the socket of a name. Raises OSError: ENOENT, ECONNREFUSED, EPROTOTYPE."""
        found = self.host.unix_names.find(self.host.name, name_from(address, "connect"))
        if found.type != self.type:
            raise failure(errno.EPROTOTYPE)
        return found

    def getsockname(self) -> Any:
        """Return the name, "" if there is none."""
        return self.name

    # --- options

    def getsockopt(self, level: int, option: int, size: int = 0) -> int | bytes:
        """Return an option. SO_PEERCRED is this process's: both ends are in it."""
        if level == socket.SOL_SOCKET and option == getattr(socket, "SO_PEERCRED", None):
            identity = (os.getpid(), os.getuid(), os.getgid()) if self.has_peer() else (0, -1, -1)
            return self.options.encode(CREDENTIALS.pack(*identity), size)
        return super().getsockopt(level, option, size)

    def has_peer(self) -> bool:
        """Return whether the socket is connected."""
        raise NotImplementedError

    def take_error(self) -> int:
        """Return the pending error, and forget it."""
        number, self.error = self.error, 0
        return number

    def raise_error(self) -> None:
        """Raise the pending error, if there is one, and forget it."""
        if self.error:
            raise failure(self.take_error())


def name_from(address: Any, call: str) -> Name:
    """Return a name as passed to a socket's method. Raises TypeError, and OSError if it is too long."""
    if not isinstance(address, str | bytes | bytearray | memoryview | os.PathLike):
        raise TypeError(f"{call}(): a Unix address must be str or bytes, not {type(address).__name__}")
    encoded = bytes(address) if isinstance(address, bytearray | memoryview) else os.fsencode(address)
    if len(encoded) > LONGEST or (len(encoded) == LONGEST and encoded[:1] != b"\0"):
        raise OSError("AF_UNIX path too long")
    return encoded if encoded[:1] == b"\0" else os.fsdecode(encoded)
