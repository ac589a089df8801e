"""The servers whose handlers run here: a handler must not call what waits for its own server."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any

__all__ = ["begin", "end", "is_handled_here"]

_servers: ContextVar[tuple[int, ...]] = ContextVar("windsock_handled_servers", default=())


def begin(server: Any) -> Token[tuple[int, ...]]:
    """Note that a handler or the loop of this server runs in this thread, task, greenlet or child, until `end()`."""
    return _servers.set((*_servers.get(), id(server)))


def end(token: Token[tuple[int, ...]]) -> None:
    """Undo `begin()`."""
    _servers.reset(token)


def is_handled_here(server: Any) -> bool:
    """Return whether one of the server's handlers, or its loop, runs here."""
    return id(server) in _servers.get()
