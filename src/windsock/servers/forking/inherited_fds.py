"""Inherited descriptors that a forked child closes, so that its peers see the end of their streams."""

from __future__ import annotations

import contextlib
import stat
import weakref
from collections.abc import Iterable
from typing import Any

from windsock.net import addresses
from windsock.net.records import SEQPACKET
from windsock.net.system import os, socket
from windsock.servers.requests import open_requests

__all__ = ["drop_all_but", "drop_copies_of", "note_address", "note_server"]

_servers: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
_addresses: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def note_server(server: Any) -> None:
    """Have later children close this server's sockets, as long as it lives, unless they serve it."""
    _servers[id(server)] = server


def note_address(owner: Any, address: Any) -> None:
    """Have later children close clients' ends of connections to this address, as long as its owner lives."""
    _addresses[owner] = address


def drop_all_but(request: Any, server: Any) -> None:
    """Close the listeners and requests of all servers of this process, and the clients' ends of connections.

    Kept are `request`, and the server's own socket if the request uses it. Clients' ends are those of connections
    to these servers and to proxies: if client and server are in the same process (as in tests), the child would
    keep the client's connection open and never see the end of its own stream. Closes what it can, and ignores a
    lack of descriptors.
    """
    servers = [*(each for each in _servers.values() if each is not server), server]
    for each in servers:
        _drop([other for other in open_requests(each).take_inherited() if other is not request])
    streams = [each for each in servers if _is_stream(each)]
    _drop([each.socket for each in streams if each.socket is not request])
    _drop_clients_of([*(each.server_address for each in streams), *_addresses.values()])


def drop_copies_of(server: Any) -> None:
    """Close this process's copies of a server's listener and requests, which are the parent's."""
    _drop(open_requests(server).take_inherited())
    _drop([server.socket])


def _is_stream(server: Any) -> bool:
    listener = getattr(server, "socket", None)
    is_open = listener is not None and listener.fileno() >= 0
    return is_open and getattr(server, "socket_type", None) in (socket.SOCK_STREAM, SEQPACKET)


def _drop(sockets: Iterable[Any]) -> None:
    """Close sockets in this process only, without calling their methods; other processes keep theirs."""
    for each in sockets:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            _blank(each.fileno())


def _drop_clients_of(server_addresses: list[Any]) -> None:
    for descriptor in _inherited_sockets():
        with contextlib.suppress(OSError):
            mine, peer = _names(descriptor)
            if any(_leads_to(address, mine, peer) for address in server_addresses):
                _blank(descriptor)


def _names(descriptor: int) -> tuple[Any, Any]:
    """Return the socket's own address and its peer's."""
    looker = socket.socket(fileno=descriptor)
    try:
        return addresses.plain(looker.getsockname()), addresses.plain(looker.getpeername())
    finally:
        looker.detach()


def _leads_to(server_address: Any, mine: Any, peer: Any) -> bool:
    """Return whether a connection from `mine` to `peer` ends at a server on this machine with that address."""
    if not (isinstance(peer, tuple) and isinstance(server_address, tuple)):
        return peer is not None and peer == server_address
    if peer[1] != server_address[1]:
        return False
    there = addresses.unmapped(peer[0])
    if there == addresses.unmapped(server_address[0]):
        return True
    is_any = server_address[0] in ("0.0.0.0", "::")
    return is_any and (peer[0] == mine[0] or addresses.is_loopback(there))


def _blank(descriptor: int) -> None:
    """Replace a descriptor with /dev/null: closed, but its number is not reused."""
    if descriptor >= 0:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.dup2(null, descriptor, inheritable=False)
        finally:
            os.close(null)


def _inherited_sockets() -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir("/dev/fd"):
            with contextlib.suppress(OSError):  # the listing's own descriptor is gone by now
                if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                    found.append(int(name))
    return found
