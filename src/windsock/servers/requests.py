"""Requests in progress: who they are, how they are released, and what a failure of one is called.

Functions rather than methods, so that the mix-ins also work over classes that are not of this family.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import threading
from typing import Any

from windsock import addresses
from windsock.servers import forks

__all__ = ["OpenRequests", "client_is_gone", "open_requests", "release", "report_failure", "write_report"]


class OpenRequests:
    """The stream requests that one server has accepted and not yet released."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[int, tuple[Any, Any]] = {}
        forks.renew_in_children(self)

    def after_fork_in_child(self) -> None:
        """Make the lock anew."""
        self._lock = threading.Lock()

    def add(self, request: Any, client_address: Any) -> None:
        """Note a request that can be ended, that is, one with a `shutdown` method."""
        if hasattr(request, "shutdown"):
            with self._lock:
                self._requests[id(request)] = (request, client_address)

    def discard(self, request: Any) -> None:
        """Forget a request, before it is closed."""
        with self._lock:
            self._requests.pop(id(request), None)

    def end(self, how: int) -> None:
        """Shut all of them down in the given direction, as shutdown(2) does."""
        with self._lock:
            for request, _ in self._requests.values():
                with contextlib.suppress(OSError, ValueError):
                    request.shutdown(how)

    def clients(self) -> list[str]:
        """Return whose requests are in progress."""
        with self._lock:
            return [f"request from {addresses.show(client)}" for _, client in self._requests.values()]

    def drop_others(self, request: Any) -> list[Any]:
        """Forget all requests but this one, and return them."""
        with self._lock:
            others = [each for each, _ in self._requests.values() if each is not request]
            self._requests = {}
        return others


def open_requests(server: Any) -> OpenRequests:
    """Return the server's table of requests in progress."""
    table: OpenRequests = vars(server).setdefault("_open_requests", OpenRequests())
    return table


def release(server: Any, request: Any, mark: int) -> None:
    """Shut the request down and close it; if its handler forked since the mark, only close it.

    The child goes on with the connection then, and it is the child's to shut down.
    """
    open_requests(server).discard(request)
    if forks.forked_since(mark):
        server.close_request(request)
    else:
        server.shutdown_request(request)


def report_failure(server: Any, request: Any, client_address: Any) -> None:
    """Tell the server's hooks of the exception that is being handled; never raises an Exception itself."""
    error = sys.exception()
    on_disconnect = getattr(server, "handle_disconnect", None)
    try:
        if on_disconnect is not None and isinstance(error, OSError) and client_is_gone(request, error):
            on_disconnect(request, client_address)
        else:
            server.handle_error(request, client_address)
    except Exception:
        write_report(f"handle_error() of {type(server).__name__} failed itself, for a request from", client_address)


def client_is_gone(request: Any, error: OSError) -> bool:
    """Return whether the error says that this very client has reset or left its connection.

    The connection itself is asked (poll(2): POLLHUP, POLLERR), because a handler has other sockets too.
    """
    if not isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return False
    try:
        poll = select.poll()
        poll.register(request.fileno(), 0)
        return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))
    except (AttributeError, OSError, ValueError):
        return True


def write_report(headline: str, client_address: Any) -> None:
    """Write the exception being handled to stderr, in one piece, so that threads do not interleave."""
    import traceback

    rule = "-" * 40
    text = f"{rule}\n{headline} {client_address}\n{traceback.format_exc()}{rule}\n"
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def end_of_forked_handler(status: int) -> None:
    """Leave a child that a handler forked and that came back from it: it has no business in the loop."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


BOTH = socket.SHUT_RDWR
READING = socket.SHUT_RD
