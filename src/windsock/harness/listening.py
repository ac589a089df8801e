"""Making the server instance: bound and listening on an address that is held from then on."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from windsock.addresses import PrivateSocketPath, is_abstract, is_loopback, show
from windsock.errors import UsageError, WindsockError
from windsock.harness.options import Resolved, constructor_of
from windsock.net.permission import check_allowed
from windsock.net.system import connect, os, socket, threading
from windsock.servers.requests import open_requests

__all__ = ["StartError", "bind_again", "give_up_place", "hold_place", "listen", "listen_again", "take_place"]


class StartError(WindsockError):
    """A server could not be started; the cause says why."""


def listen(options: Resolved, handler: Any, private: PrivateSocketPath | None) -> Any:
    """Return an instance of the server class that is bound and listens.

    Raises StartError with the cause.
    """
    address: Any = (options.host, options.port)
    if options.is_unix:
        address = private.path if private is not None else options.path
    check_allowed(options.name, socket.AF_UNIX if options.is_unix else socket.AF_INET)
    try:
        return _make(options, address, handler)
    except OSError as error:
        hint = "; leave the port or path out to get a free one" if "in use" in str(error) else ""
        raise StartError(f"the {options.name} could not listen on {show(address)}: {error}{hint}") from error


def _make(options: Resolved, address: Any, handler: Any) -> Any:
    server = _made(options, address, handler)
    if options.encryption is not None:
        try:
            options.encryption.apply_to(server, options.host)
        except BaseException:
            server.server_close()
            raise
    return server


def _made(options: Resolved, address: Any, handler: Any) -> Any:
    make = options.server_class
    handlers = [] if handler is None else [handler]
    names = constructor_of(make)  # type: ignore[arg-type]  # classes are hashable
    if "bind_and_activate" not in names:
        with _no_name_lookups():
            server = make(*address, *handlers) if names[:2] == ("host", "port") else make(address, *handlers)
        if not options.is_datagram:
            server.socket.listen(options.backlog)
        return server
    server = make(address, *handlers, bind_and_activate=False)
    try:
        _adjust(server, options)
        if "http.server" in sys.modules:
            with _no_name_lookups():
                server.server_bind()
        else:
            server.server_bind()
        server.server_activate()
    except BaseException:
        server.server_close()
        raise
    return server


def has_handler_of_its_own(server_class: Any) -> bool:
    """Return whether the class can be made without a handler, as xmlrpc.server.SimpleXMLRPCServer."""
    return _second_is_optional(server_class)


@lru_cache(maxsize=256)
def _second_is_optional(server_class: Any) -> bool:
    found = list(inspect.signature(server_class).parameters.values())
    return len(found) > 1 and found[1].default is not inspect.Parameter.empty


_lookup_lock = threading.Lock()


@contextlib.contextmanager
def _no_name_lookups() -> Iterator[None]:
    """Keep http.server from asking the network for the name of a loopback address, which may take seconds."""
    import socket as standard  # the standard library's own, which http.server asks

    me = threading.get_ident()
    with _lookup_lock:
        original = standard.getfqdn

        def getfqdn(name: str = "") -> str:
            return name if threading.get_ident() == me and is_loopback(name) else original(name)

        standard.getfqdn = getfqdn
        try:
            yield
        finally:
            standard.getfqdn = original


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
            connect(holder, holder.getsockname())  # takes datagrams from nobody but itself: ECONNREFUSED
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


def hold_place(server: Any) -> socket.socket | None:
    """Hold the address of a listener that was shut down and is to come back; a Unix socket's file stays as it is."""
    return None if server.address_family == getattr(socket, "AF_UNIX", None) else take_place(server)


def listen_again(server: Any, holder: socket.socket | None) -> socket.socket:
    """Return a new socket that listens on a server's address, after `hold_place()`."""
    address = server.server_address
    made = socket.socket(server.address_family, server.socket_type)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if holder is None and not is_abstract(address):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(address)
        made.bind(address)
        made.listen(getattr(server, "request_queue_size", 128))
        if holder is None and hasattr(server, "_identity") and not is_abstract(address):
            found = os.lstat(address)
            server._identity = (found.st_dev, found.st_ino)  # or it would not take its file away in the end
    except BaseException:
        made.close()
        raise
    finally:
        if holder is not None:
            holder.close()
    return made
