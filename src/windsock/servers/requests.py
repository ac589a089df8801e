"""Requests in progress: a table of them, their release, and reports of their failures.

Functions rather than methods, so that the mix-ins also work with server classes that are not of this family.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from windsock.net import addresses
from windsock.net.system import os, select, socket, threading
from windsock.servers import fork_hooks

__all__ = [
    "OpenRequests",
    "client_is_gone",
    "exit_status",
    "give_up",
    "open_requests",
    "release",
    "release_or_report",
    "report_failure",
    "write_line",
    "write_report",
]


class OpenRequests:
    """The stream requests that one server has accepted and not yet released. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[int, tuple[Any, Any]] = {}
        self._inherited: list[Any] = []
        self._most = 64
        self._end_of_new: int | None = None
        fork_hooks.renew_in_children(self)

    def after_fork_in_child(self) -> None:
        """Replace the lock, and forget the requests in progress: they are the parent's, not the child's to end."""
        self._lock = threading.Lock()
        self._inherited += [request for request, _ in self._requests.values()]
        self._requests = {}

    def add(self, request: Any, client_address: Any) -> None:
        """Add a request if it can be ended, that is, if it has a `shutdown` method."""
        if id(request) not in self._requests and hasattr(request, "shutdown"):
            with self._lock:
                self._requests[id(request)] = (request, client_address)
                if self._end_of_new is not None:
                    _shut_down(request, self._end_of_new)
                if len(self._requests) > self._most:
                    self._forget_closed()

    def discard(self, request: Any) -> None:
        """Remove a request, before it is closed."""
        with self._lock:
            self._requests.pop(id(request), None)

    def end(self, how: int) -> None:
        """Shut down all requests in the given direction, as shutdown(2) does."""
        with self._lock:
            for request, _ in self._requests.values():
                _shut_down(request, how)

    def end_one(self, request: Any, how: int) -> None:
        """Shut down one request in the given direction, unless it has been released already."""
        with self._lock:
            if id(request) in self._requests:
                _shut_down(request, how)

    @contextlib.contextmanager
    def kept(self, is_wanted: Callable[[Any], bool]) -> Iterator[Any]:
        """Give the request that is wanted, which is not released during the block; None if there is none.

        The block must not wait.
        """
        with self._lock:
            yield next((request for request, _ in self._requests.values() if is_wanted(request)), None)

    def end_new(self, how: int | None) -> None:
        """From now on, shut down each request that is added: one may be accepted while the server closes.

        None ends that: the server is about to serve again.
        """
        with self._lock:
            self._end_of_new = how

    def clients(self) -> list[str]:
        """Return a description of each request in progress, with its client's address."""
        with self._lock:
            return [f"request from {addresses.show(client)}" for _, client in self._requests.values()]

    def take_inherited(self) -> list[Any]:
        """Return, once, the requests that the parent had in progress when it forked this process."""
        inherited, self._inherited = self._inherited, []
        return inherited

    def _forget_closed(self) -> None:
        """Remove closed requests: a `process_request` may have replaced a request with another object."""
        self._requests = {key: (each, client) for key, (each, client) in self._requests.items() if not _is_closed(each)}
        self._most = max(64, 2 * len(self._requests))


def _shut_down(request: Any, how: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        request.shutdown(how)


def _is_closed(request: Any) -> bool:
    try:
        return bool(request.fileno() < 0)
    except Exception:
        return False


def open_requests(server: Any) -> OpenRequests:
    """Return the server's table of requests in progress."""
    table: OpenRequests | None = vars(server).get("_open_requests")
    if table is None:  # setdefault: two threads may get here at once
        table = vars(server).setdefault("_open_requests", OpenRequests())
    return table


def release(server: Any, request: Any, mark: int) -> None:
    """Shut the request down and close it; if its handler forked since the mark, only close it.

    In that case the child uses the connection and will shut it down.
    """
    open_requests(server).discard(request)
    if fork_hooks.forked_since(mark):
        server.close_request(request)
    else:
        server.shutdown_request(request)


def release_or_report(server: Any, request: Any, client_address: Any, mark: int) -> bool:
    """Release a request that was handled; report an Exception, and return whether there was none."""
    try:
        release(server, request, mark)
    except Exception:
        report_failure(server, request, client_address)
        return False
    return True


def give_up(server: Any, request: Any, client_address: Any, mark: int) -> None:
    """Report the exception being handled, then release the request; never raises an Exception itself."""
    report_failure(server, request, client_address)
    try:
        release(server, request, mark)
    except Exception:
        write_report("Exception occurred while closing the request from", client_address)


def report_failure(server: Any, request: Any, client_address: Any) -> None:
    """Report the exception being handled to the server's hooks. Never raises an Exception itself."""
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
    """Return whether an error means that this client reset or closed its connection, or ended its TLS.

    The connection itself is asked (poll(2): POLLHUP, POLLERR), because a handler may have other sockets. If the
    handler has closed the connection, the error is taken as the client's. A datagram has no connection.
    """
    ended = getattr(error, "ended_by_alert", None)  # see windsock.security.alerts
    if ended is not None and hasattr(request, "fileno"):
        return bool(ended.fileno() == request.fileno())
    is_lost = isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError)
    if not is_lost or not hasattr(request, "fileno"):
        return False
    try:
        poll = select.poll()
        poll.register(request.fileno(), 0)
        return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))
    except (OSError, ValueError):
        return True


def write_report(headline: str, client_address: Any) -> None:
    """Write the exception being handled to stderr, in one piece so that threads do not interleave."""
    import traceback

    rule = "-" * 40
    write_line(f"{rule}\n{headline} {client_address}\n{traceback.format_exc()}{rule}")


def write_line(text: str) -> None:
    """Write a line to stderr in one piece, if stderr can be written to."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def end_of_forked_handler(status: int) -> None:
    """Exit from a child that a handler forked and that returned from the handler: it must not enter the loop."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def exit_status(error: SystemExit) -> int:
    """Return the exit status that the interpreter would use for this SystemExit."""
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    return 1


BOTH = socket.SHUT_RDWR
READING = socket.SHUT_RD
