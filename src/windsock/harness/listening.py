"""Making the server instance: bound and listening on an address that is held from then on."""

from __future__ import annotations

import contextlib
import inspect
import os
import socket
from functools import lru_cache
from typing import Any

from windsock.addresses import PrivateSocketPath, is_abstract, show
from windsock.errors import UsageError, WindsockError
from windsock.harness.options import Resolved
from windsock.servers.requests import open_requests

__all__ = ["StartError", "bind_again", "give_up_place", "listen", "take_place"]


class StartError(WindsockError):
    """A server could not be started; the cause says why."""


def listen(options: Resolved, handler: Any, private: PrivateSocketPath | None) -> Any:
    """Return an instance of the server class that is bound and listens.

    Raises StartError with the cause.
    """
    address: Any = (options.host, options.port)
    if options.is_unix:
        address = private.path if private is not None else options.path
    try:
        return _make(options, address, handler)
    except OSError as error:
        hint = "; leave the port or path out to get a free one" if "in use" in str(error) else ""
        raise StartError(f"the {options.name} could not listen on {show(address)}: {error}{hint}") from error


def _make(options: Resolved, address: Any, handler: Any) -> Any:
    make = options.server_class
    if not _takes_bind_and_activate(make):  # type: ignore[arg-type]  # classes are hashable
        server = make(address, handler)
        if not options.is_datagram:
            server.socket.listen(options.backlog)
        return server
    server = make(address, handler, bind_and_activate=False)
    try:
        _adjust(server, options)
        server.server_bind()
        server.server_activate()
    except BaseException:
        server.server_close()
        raise
    return server


@lru_cache(maxsize=256)
def _takes_bind_and_activate(make: Any) -> bool:
    try:
        inspect.signature(make).bind(None, None, bind_and_activate=False)
    except TypeError:
        return False
    return True


def _adjust(server: Any, options: Resolved) -> None:
    """Set what a server in a test has other than its class."""
    if ":" in options.host and not options.is_unix and server.address_family != socket.AF_INET6:
        server.address_family = socket.AF_INET6
        server.socket.close()
        server.socket = socket.socket(socket.AF_INET6, server.socket_type)
    if not options.is_datagram:
        server.request_queue_size = options.backlog
        server.allow_reuse_address = True


def take_place(server: Any) -> socket.socket | None:
    """Hold the address of a server that is down, so that nobody else gets it and clients are refused."""
    address = server.server_address
    holder = socket.socket(server.address_family, server.socket_type)
    try:
        if server.address_family == getattr(socket, "AF_UNIX", None):
            if address[:1] not in ("\0", b"\0"):
                holder.bind(address)  # the file stays, with nobody behind it: ECONNREFUSED
            holder.close()
            return None
        if server.socket_type == socket.SOCK_STREAM:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(address)  # bound but not listening: ECONNREFUSED
        else:
            holder.bind(address)
            holder.connect(holder.getsockname())  # takes datagrams from nobody but itself: ECONNREFUSED
    except BaseException:
        holder.close()
        raise
    return holder


def give_up_place(server: Any, holder: socket.socket | None) -> None:
    """Let go of the address for good: the server was stopped while it was down."""
    if holder is not None:
        holder.close()
    elif not is_abstract(server.server_address):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(server.server_address)


def bind_again(server: Any, holder: socket.socket | None) -> None:
    """Give a server that was down a new listening socket on its old address.

    Raises UsageError if somebody else has taken the address in the moment between.
    """
    if holder is not None and server.socket_type == socket.SOCK_DGRAM:
        holder.close()
    server.socket = socket.socket(server.address_family, server.socket_type)
    open_requests(server).end_new(None)
    try:
        server.server_bind()
        server.server_activate()
    except OSError as error:
        server.socket.close()
        raise UsageError(f"outage(): {show(server.server_address)} could not be taken again: {error}") from error
    finally:
        if holder is not None:
            holder.close()
