"""Checks of the classes that a server is made of: its own, and its handler."""

from __future__ import annotations

import inspect
import sys
from functools import lru_cache
from typing import Any

from windsock.errors import UsageError
from windsock.net.targets import Unit
from windsock.servers import BaseServer, DatagramRequestHandler, RecordRequestHandler, StreamRequestHandler
from windsock.servers.async_handlers import is_async

__all__ = ["check_class", "check_handler", "check_suits_records", "check_units", "constructor_of", "unit_of"]

DATAGRAMS = ("udp", "unix_datagram")
OWN_SETUPS: tuple[tuple[Any, Unit], ...] = (
    (StreamRequestHandler.setup, "stream"),
    (DatagramRequestHandler.setup, "datagram"),
    (RecordRequestHandler.setup, "record"),
)
"""The methods that open files over a request, and what that is."""
SERVER_PROTOCOL = (
    "serve_forever",
    "get_request",
    "process_request",
    "finish_request",
    "service_actions",
    "server_close",
)


def check_class(server_class: Any) -> None:
    """Raise UsageError for a value that is not a server class."""
    if not isinstance(server_class, type):
        raise UsageError(f"{server_class!r} is no server class; expected a class such as windsock.servers.TCPServer")
    missing = [name for name in SERVER_PROTOCOL if not callable(getattr(server_class, name, None))]
    if missing:
        raise UsageError(
            f"{server_class.__name__} is no server class: it has no {', '.join(missing)}; "
            "expected a class that speaks the protocol of socketserver, such as one of windsock.servers"
        )


@lru_cache(maxsize=256)
def constructor_of(server_class: Any) -> tuple[str, ...]:
    """Return the names of the arguments of a class's constructor."""
    return tuple(inspect.signature(server_class).parameters)


def check_handler(handler: Any, concurrency: str) -> None:
    """Raise UsageError for a handler that cannot be called with request, client_address and server, or not here."""
    if concurrency != "trio" and is_async(handler):
        name = getattr(handler, "__name__", repr(handler))
        raise UsageError(f"handler={name} is async, which needs concurrency='trio'; this server is {concurrency!r}")
    if handler is None or (isinstance(handler, type) and callable(getattr(handler, "handle", None))):
        return
    hint = "expected a class derived from windsock.servers.BaseRequestHandler, or a function of three arguments"
    if isinstance(handler, type) and issubclass(handler, BaseServer):
        raise UsageError(f"handler={handler.__name__} is a server class; pass it first, and its handler second")
    if not callable(handler):
        raise UsageError(f"handler={handler!r} is no request handler; {hint} (request, client_address, server)")
    try:
        inspect.signature(handler).bind(None, None, None)
    except (TypeError, ValueError):
        name = getattr(handler, "__name__", repr(handler))
        raise UsageError(f"handler={name} can't be called with (request, client_address, server); {hint}") from None


def check_units(handler: Any, transport: str) -> None:
    """Raise UsageError for a handler of streams on a server of records or datagrams, or the other way round."""
    if not isinstance(handler, type):
        return
    name = handler.__name__
    is_for_streams = issubclass(handler, StreamRequestHandler) or getattr(handler, "windsock_framing", None)
    if transport == "unix_seqpacket" and is_for_streams:
        raise UsageError(
            f"handler={name} reads a stream, and transport={transport!r} carries records; derive it from "
            "RecordRequestHandler, or call request.recv() for each record"
        )
    if transport != "unix_seqpacket" and issubclass(handler, RecordRequestHandler):
        raise UsageError(f"handler={name} reads records, and transport={transport!r} has none; use 'unix_seqpacket'")
    is_datagram, unit = transport in DATAGRAMS, unit_of(handler)
    if is_datagram and unit == "stream":
        raise UsageError(
            f"handler={name} reads a stream, and transport={transport!r} carries datagrams; derive it from "
            "DatagramRequestHandler, or choose another transport"
        )
    if not is_datagram and unit == "datagram":
        raise UsageError(f"handler={name} reads datagrams, and transport={transport!r} carries none; use 'udp'")


def unit_of(handler: Any) -> Unit | None:
    """Return what a class of handlers takes from its request as it begins; None if it leaves that to `handle()`."""
    if not isinstance(handler, type):
        return None
    setup = getattr(handler, "setup", None)
    return next((unit for method, unit in (*OWN_SETUPS, *_setups_of_standard_library()) if method is setup), None)


def _setups_of_standard_library() -> tuple[tuple[Any, Unit], ...]:
    """Return the same of `socketserver`, which is imported where a handler of it comes from."""
    library = sys.modules.get("socketserver")
    if library is None:
        return ()
    return (library.StreamRequestHandler.setup, "stream"), (library.DatagramRequestHandler.setup, "datagram")


def check_suits_records(server_class: type[Any], transport: str) -> None:
    """Raise UsageError for a class with a mix-in for streams, of which a record would lose what is not read at once."""
    names = {each.__name__ for each in server_class.__mro__}
    if transport == "unix_seqpacket" and (found := names & {"TLSMixIn", "ChallengeMixIn", "RPCMixIn"}):
        raise UsageError(f"{server_class.__name__}: {min(found)} is for streams, and {transport!r} carries records")
