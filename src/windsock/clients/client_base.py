"""Facts of a client, however its steps are taken: names, outcome, bytes received, steps done."""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from windsock.net import addresses
from windsock.net.abort import kernel_socket
from windsock.net.system import os, socket
from windsock.scripts import HistoryEntry, Progress, Script

if TYPE_CHECKING:
    from windsock.clients.client_endpoint import ClientDatagramEndpoint, ClientStreamEndpoint
    from windsock.net.addresses import PrivateSocketPath

__all__ = ["ClientBase"]


class ClientBase:
    """The facts of a client. A subclass has `end`, its end of the conversation, and takes steps."""

    if TYPE_CHECKING:

        @property
        def end(self) -> ClientStreamEndpoint | ClientDatagramEndpoint:
            """Its end of the conversation, which has the inbox."""

    name: str
    timeout: float
    _private: PrivateSocketPath | None = None
    _path: tuple[str, tuple[int, int]] | None = None
    _address: Any = None
    _peer: Any = None
    _process_id = 0
    """The process that made it: a forked child leaves its path alone."""
    _count = 0

    def __repr__(self) -> str:
        named = f" {self.name}" if self.name else ""
        return f"<{type(self).__name__}{named} of {addresses.show(self.peer)}, {self.outcome}>"

    @property
    def address(self) -> Any:
        """Its own address, as the server sees it; None for a Unix socket without a name."""
        return self._address

    @property
    def peer(self) -> Any:
        """The address it is connected to."""
        return self._peer

    @property
    def outcome(self) -> str:
        """The outcome, in the same words on every version of Python: see Outcome."""
        return str(self.end.outcome)

    @property
    def unread(self) -> bytes:
        """Received bytes that no step has expected yet, as far as they were read; of datagrams, the first one."""
        return bytes(self.end.inbox.unread)

    @property
    def datagrams(self) -> tuple[bytes, ...]:
        """All datagrams that have come and were not expected yet."""
        return tuple(self.end.inbox.datagrams)

    @property
    def deeds(self) -> list[HistoryEntry]:
        """The last things that both ends did, the oldest first."""
        return self.end.inbox.deeds

    @property
    def socket(self) -> socket.socket:
        """The socket below, for what the steps do not cover. It does not block; under TLS it has the encrypted
        bytes."""
        self.end.be_careful()
        found: socket.socket = kernel_socket(self.end.sock)
        return found

    @property
    def is_datagram(self) -> bool:
        """True if the client sends datagrams."""
        return self.end.inbox.is_datagram

    # --- for the subclasses

    def _is_called(self, sock: Any, private: PrivateSocketPath | None) -> None:
        """Note the addresses of a connected socket, and the path to remove at the end: a private one, or its own."""
        self._private = private
        self._process_id = os.getpid()
        self._path = _path_of(sock) if private is None else None
        self._address = _or_none(sock.getsockname)
        self._peer = _or_none(sock.getpeername)

    def _progress_of(self, script: Script, limit: float) -> Progress:
        """Return the progress of the next script; its steps are counted on from those before it."""
        first, self._count = self._count + 1, self._count + len(script)
        whose = f"{self.name}, " if self.name else ""
        return Progress(script, self.end.inbox, timeout=self.timeout, limit=limit, first=first, whose=whose)

    def drain(self) -> None:
        """Deliver the data sent so far, as far as faults of its own let it through in time."""
        if (drain := getattr(self._private, "drain", None)) is not None:
            drain()

    def _remove_path(self) -> None:
        """Remove the path that it is bound to. Idempotent."""
        private, self._private = self._private, None
        if private is not None:
            private.remove()
        path, self._path = self._path, None
        if path is not None and self._process_id == os.getpid():
            addresses.unlink_socket(*path)


def _or_none(ask: Callable[[], Any]) -> Any:
    """Return an address, or None if there is none (any more)."""
    try:
        found = addresses.plain(ask())
    except OSError:
        return None
    return found[:2] if isinstance(found, tuple) else found


def _path_of(sock: Any) -> tuple[str, tuple[int, int]] | None:
    """Return the path that a Unix socket is bound to, and the identity of the file; None if there is none."""
    if sock.family != getattr(socket, "AF_UNIX", None):
        return None
    path = _or_none(sock.getsockname)
    if not path or addresses.is_abstract(path):
        return None
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (path, (found.st_dev, found.st_ino)) if stat.S_ISSOCK(found.st_mode) else None
