"""The handler's end of a relayed connection: a real socket, with the client's address and a way to its options."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from windsock.net.addresses import Address
from windsock.net.ancillary import CREDENTIALS, Credentials, own_credentials, peer_credentials, sorted_out
from windsock.net.system import accept, connect, os, socket, threading

__all__ = ["PEER_CREDENTIALS", "Pairs", "RelayedSocket"]

AF_UNIX = getattr(socket, "AF_UNIX", -1)
LEVELS = (socket.IPPROTO_TCP, socket.IPPROTO_IP, getattr(socket, "IPPROTO_IPV6", -1))
"""Levels whose options are about how the client is talked to."""
SOCKET_OPTIONS = frozenset(
    getattr(socket, name)
    for name in ("SO_KEEPALIVE", "SO_RCVBUF", "SO_SNDBUF", "SO_PRIORITY", "SO_MARK")
    if hasattr(socket, name)
)
"""The same of level SOL_SOCKET."""
PEER_CREDENTIALS = (socket.SOL_SOCKET, getattr(socket, "SO_PEERCRED", None))
MOST_STRANGERS = 16


class RelayedSocket(socket.socket):
    """A socket whose other end is a relay: addresses are those of the client's connection, options reach that too.

    The client's credentials take the place of the relay's.
    """

    _credentials: Credentials | None = None
    """The client's, if that is another process than the relay's."""
    peer_name: Address = None
    own_name: Address = None
    forward_option: Any = None
    _relays_pid = 0

    def stands_for(self, client: socket.socket) -> None:
        """Have it show the credentials of a client."""
        found = peer_credentials(client)
        if found is not None and found != own_credentials():
            self._credentials, self._relays_pid = found, os.getpid()

    def copy_names(self, other: Any) -> None:
        """Have another socket show the same."""
        for name in ("peer_name", "own_name", "forward_option", "_credentials", "_relays_pid"):
            setattr(other, name, getattr(self, name))

    def getpeername(self) -> Any:
        """Return the client's address. Raises OSError once the connection is gone, as ever."""
        super().getpeername()
        return self.peer_name

    def getsockname(self) -> Any:
        """Return the server's address that the client is connected to."""
        super().getsockname()
        return self.own_name

    def getsockopt(self, level: int, name: int, *size: int) -> Any:
        """Return an option; SO_PEERCRED is the client's."""
        shown = self.shown_option(level, name, *size)
        return super().getsockopt(level, name, *size) if shown is None else shown

    def shown_option(self, level: int, name: int | None, *size: int) -> bytes | None:
        """Return an option in which the client stands in the relay's place; None for all others."""
        if self._credentials is None or (level, name) != PEER_CREDENTIALS or not size:
            return None
        return self._credentials.as_bytes()[: size[0]]

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> tuple[bytes, list[Any], int, Any]:
        """See socket.socket."""
        data, ancillary, flags, address = super().recvmsg(bufsize, ancbufsize, flags)
        return data, self._theirs(ancillary), flags, address

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[Any], int, Any]:
        """See socket.socket."""
        size, ancillary, flags, address = super().recvmsg_into(buffers, ancbufsize, flags)
        return size, self._theirs(ancillary), flags, address

    def _theirs(self, ancillary: list[Any]) -> list[Any]:
        """Return the ancillary data of the bytes, the client's credentials instead of the relay's (SCM_CREDENTIALS)."""
        theirs = self._credentials
        if theirs is None:
            return ancillary
        relays = sorted_out([each for each in ancillary if each[1] == CREDENTIALS])[1]
        if relays is None or relays.pid not in (0, self._relays_pid):
            return ancillary
        return [(level, kind, theirs.as_bytes() if kind == CREDENTIALS else data) for level, kind, data in ancillary]

    def setsockopt(self, level: int, name: int, *value: Any) -> None:
        """Set an option here, and on the client's connection if it concerns how that is talked to."""
        super().setsockopt(level, name, *value)
        if self.forward_option is not None and (
            level in LEVELS or (level == socket.SOL_SOCKET and name in SOCKET_OPTIONS)
        ):
            self.forward_option(level, name, *value)


class Pairs:
    """Makes pairs of connected sockets of a family. From any thread; `close()` gives the listeners back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[int, socket.socket] = {}

    def make(self, client: socket.socket, peer: Address) -> tuple[socket.socket, RelayedSocket]:
        """Return the relay's end and the handler's end, for a client's connection. Raises OSError for lack of room."""
        is_unix = client.family == AF_UNIX
        ours, theirs = socket.socketpair(AF_UNIX, client.type) if is_unix else self._tcp(client.family)
        handlers = RelayedSocket(theirs.family, theirs.type, theirs.proto, fileno=theirs.detach())
        handlers.settimeout(client.gettimeout())
        if is_unix:
            handlers.stands_for(client)
        handlers.peer_name = peer
        try:
            handlers.own_name = client.getsockname()
        except OSError:  # macOS: the client has reset it by now
            handlers.own_name = None
        return ours, handlers

    def _tcp(self, family: int) -> tuple[socket.socket, socket.socket]:
        with self._lock:
            listener = self._listener(family)
            ours = socket.socket(family, socket.SOCK_STREAM)
            try:
                connect(ours, listener.getsockname())
                return ours, _accept(listener, ours.getsockname())
            except BaseException:
                ours.close()
                raise

    def _listener(self, family: int) -> socket.socket:
        found = self._listeners.get(family)
        if found is None:
            found = socket.socket(family, socket.SOCK_STREAM)
            try:
                found.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
                found.listen(MOST_STRANGERS)
                found.settimeout(5.0)
            except BaseException:
                found.close()
                raise
            self._listeners[family] = found
        return found

    def all(self) -> list[socket.socket]:
        """Return the listeners."""
        return list(self._listeners.values())

    def close(self) -> None:
        """Give the listeners back."""
        with self._lock:
            for each in self._listeners.values():
                each.close()
            self._listeners.clear()

    def after_fork_in_child(self) -> None:
        """Close the descriptors that belong to the parent."""
        self._lock = threading.Lock()
        listeners, self._listeners = self._listeners, {}
        for each in listeners.values():
            with contextlib.suppress(OSError):
                os.close(each.detach())


def _accept(listener: socket.socket, expected: Any) -> socket.socket:
    """Accept the connection that we have just made; what others have made is closed."""
    for _ in range(MOST_STRANGERS):
        found: socket.socket
        found, peer = accept(listener)
        if peer == expected:
            return found
        found.close()
    raise ConnectionAbortedError("strangers keep connecting to the relay's own listener")
