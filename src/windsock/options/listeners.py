"""Making the server instance: bound and listening on an address that is held from then on."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from windsock.errors import UsageError, WindsockError
from windsock.net import addresses, groups, sockets
from windsock.net.addresses import PrivateSocketPath, is_abstract, is_loopback, show
from windsock.net.permission import check_allowed
from windsock.net.system import connect, os, platform, socket, threading
from windsock.options.class_checks import constructor_of
from windsock.options.server_options import Resolved
from windsock.servers import BaseServer, UDPServer
from windsock.servers.requests import open_requests

__all__ = [
    "StartError",
    "address_of",
    "backlog_of",
    "bind_again",
    "can_serve_again",
    "give_up_place",
    "listen",
    "listen_beside",
    "refuse",
    "serve_again",
    "take_place",
]

AF_UNIX = getattr(socket, "AF_UNIX", None)


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
    if options.is_datagram:
        _take_longer_datagrams(server, options.handler)
    if options.encryption is not None:
        try:
            options.encryption.apply_to(server, options.host)
        except BaseException:
            server.server_close()
            raise
    return server


def _take_longer_datagrams(server: Any, handler: Any) -> None:
    """Allow a fake the largest datagrams, and a handler those it asks for, unless the server has a limit of its own.

    A handler whose `max_packet_size` is None asks for the largest.
    """
    if getattr(server, "max_packet_size", None) == UDPServer.max_packet_size:
        wanted = None if handler is None else getattr(handler, "max_packet_size", server.max_packet_size)
        server.max_packet_size = sockets.largest_datagram(server.socket.family) if wanted is None else wanted


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
        if options.is_datagram and groups.is_group(options.host):
            groups.share(server.socket)
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
            return name if threading.get_ident() == me and (is_loopback(name) or name == "::") else original(name)

        standard.getfqdn = getfqdn
        try:
            yield
        finally:
            standard.getfqdn = original


def _adjust(server: Any, options: Resolved) -> None:
    """Set the attributes in which a server in a test differs from its class."""
    if not options.is_unix:
        _choose_family(server, options)
    if options.is_datagram and groups.is_group(options.host):
        groups.join(server.socket, options.host)
        server.allow_reuse_address = bool(options.port)  # other receivers may have it too
    if not options.is_datagram:
        server.request_queue_size = options.backlog
        server.allow_reuse_address = True


def _choose_family(server: Any, options: Resolved) -> None:
    """Give a server the socket that its host needs: for IPv6, or for both families."""
    if addresses.is_localhost(options.host):
        made = sockets.on_both_loopbacks(server.socket_type)
        if made is not None:
            _replace_socket(server, made)
            server.server_address = ("::", *server.server_address[1:])
    elif ":" in options.host:
        if server.address_family != socket.AF_INET6:
            _replace_socket(server, socket.socket(socket.AF_INET6, server.socket_type))
        if options.host == "::" or addresses.unmapped(options.host) != options.host:
            sockets.take_ipv4_too(server.socket)


def _replace_socket(server: Any, made: socket.socket) -> None:
    server.address_family = made.family
    server.socket.close()
    server.socket = made


def address_of(server: Any, options: Resolved) -> Any:
    """Return the address for clients: (host, port), also for IPv6, or the path of a Unix socket."""
    address = server.server_address
    if not isinstance(address, tuple):
        return addresses.plain(address)
    is_any = address[0] == "::" and addresses.is_localhost(options.host)
    return ("127.0.0.1" if is_any else address[0], address[1])


def refuse(server: Any, *, for_good: bool) -> None:
    """Have a server that goes down refuse its clients, also where another process has a copy of its socket."""
    with contextlib.suppress(ValueError):
        sockets.refuse(server.socket, for_good=for_good)


def can_serve_again(server: Any) -> bool:
    """Return whether a copy of the server's socket can take its place again after `refuse()`.

    That of datagrams of a class that is not of the family is shut down for good, to wake its loop.
    """
    is_of_use = isinstance(server, BaseServer) or server.socket_type != socket.SOCK_DGRAM
    return platform == "linux" and server.address_family != AF_UNIX and is_of_use


def take_place(server: Any, copy: socket.socket | None) -> socket.socket | None:
    """Hold the address of a server that is down, so that no one else gets it and clients are refused.

    `copy` is one of its own socket, if that can serve again.
    """
    if copy is not None:
        sockets.refuse(copy)
        return copy
    address = server.server_address
    holder = socket.socket(server.address_family, server.socket_type)
    try:
        if server.address_family == AF_UNIX:
            if not is_abstract(address):
                holder.bind(address)  # the file stays, without a listener: ECONNREFUSED
            holder.close()
            return None
        if server.socket_type != socket.SOCK_DGRAM:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(address)  # bound but not listening: ECONNREFUSED
        else:
            holder.bind(address)
            connect(holder, holder.getsockname())  # takes datagrams only from itself: ECONNREFUSED
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


def serve_again(server: Any, copy: socket.socket) -> None:
    """Give a server that was down its own socket back. Raises UsageError if another process has taken the address."""
    server.socket = copy
    open_requests(server).end_new(None)
    try:
        sockets.serve_again(copy, backlog_of(server), server.server_address)
        server.server_activate()
    except OSError as error:
        copy.close()
        raise UsageError(_not_taken("outage()", server, error)) from error


def bind_again(server: Any, holder: socket.socket | None) -> None:
    """Give a server that was down a new listening socket on its old address.

    Raises UsageError if another process took the address in the meantime.
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
        raise UsageError(_not_taken("outage()", server, error)) from error
    finally:
        if holder is not None:
            holder.close()


def _not_taken(what: str, server: Any, error: OSError) -> str:
    words = f"{what}: {show(server.server_address)} could not be taken again: {error}"
    if is_abstract(server.server_address):
        words += "; a process that holds a copy of the socket holds its abstract name: end it before, or use a path"
    return words


def backlog_of(server: Any) -> int:
    """Return how many clients may wait."""
    return int(getattr(server, "request_queue_size", 128))


def listen_beside(server: Any) -> socket.socket:
    """Return a new socket that listens instead of a Unix server's, which was shut down.

    Raises OSError; EADDRINUSE while a process holds an abstract name.
    """
    address = server.server_address
    made = socket.socket(server.address_family, server.socket_type)
    try:
        if not is_abstract(address):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(address)
        made.bind(address)
        made.listen(backlog_of(server))
        if hasattr(server, "own_socket_file") and not is_abstract(address):
            server.own_socket_file()
    except BaseException:
        made.close()
        raise
    return made
