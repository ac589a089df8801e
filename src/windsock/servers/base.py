"""BaseServer: handles requests one by one until it is stopped."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Self

from windsock.errors import StillRunning
from windsock.net.deadlines import is_over, to_stop
from windsock.net.system import monotonic, os, selectors, sleep
from windsock.servers import fork_hooks
from windsock.servers.async_handlers import refuse_async
from windsock.servers.control import Control
from windsock.servers.loop import LoopSelector, ServeLoop
from windsock.servers.requests import (
    BOTH,
    READING,
    end_of_forked_handler,
    exit_status,
    give_up,
    open_requests,
    release,
    report_failure,
    write_report,
)
from windsock.servers.urgent import check_urgent

__all__ = ["BaseServer"]

# Errors of accept(2) for lack of resources. The request stays in the queue, so an immediate retry would spin.
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# Errors of accept(2) that mean that the listener itself is unusable.
UNUSABLE = {errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP}


class BaseServer:
    """Base class of all servers: a loop that gets requests and handles them.

    Hooks, in the order in which a request meets them: `get_request`, `verify_request`, `process_request`,
    `finish_request`, `shutdown_request`, `close_request`. Errors: `handle_error`, `handle_disconnect`,
    `handle_accept_error`. Between requests: `service_actions`, `handle_timeout`.

    A subclass must override `get_request`. If it has no `fileno()`, the loop calls `get_request` without waiting
    first, and `get_request` may block.

    `timeout` (seconds or None) bounds `handle_request()`. `stop_timeout` (seconds) bounds `shutdown()` and
    `server_close()`.
    """

    timeout: float | None = None
    stop_timeout: float = 5.0
    block_on_close = True
    _shares_socket = False
    """Whether handlers reply through the server's own socket, which must stay open until they have ended."""

    def __init__(self, server_address: Any, RequestHandlerClass: Any) -> None:
        """May be extended (call super). Do not override."""
        refuse_async(self, RequestHandlerClass)
        check_urgent(self, RequestHandlerClass)
        self.server_address = server_address
        self.RequestHandlerClass = RequestHandlerClass
        self._control = Control(self._loop_class())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.server_close()

    def server_activate(self) -> None:
        """Prepare for requests. May be overridden."""

    # --- serving

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Handle requests until `shutdown()`. Ignores `timeout`.

        Waits for events and does not poll. `poll_interval` (seconds) is only the interval between calls of
        `service_actions()` while nothing happens, if a subclass overrides it.
        """
        has_fileno = hasattr(self, "fileno")
        quiet = self._is_quiet()
        interval = None if quiet and has_fileno else poll_interval
        listener: Any = self if has_fileno else None
        loop = self._control.begin(listener)
        if loop is None:
            return
        try:
            self._loop_started(loop)
            while not loop.stopping:
                if loop.wait(interval):
                    self._handle_request_noblock()
                self.service_actions()
        finally:
            self._control.end(loop)

    def prepare_to_serve(self) -> None:
        """Create what the next `serve_forever()` needs, so that its thread can wait at once. Optional."""
        listener: Any = self if hasattr(self, "fileno") else None
        self._control.prepare(listener)

    def _is_quiet(self) -> bool:
        """Return whether nothing has to be done at intervals. Mix-ins extend it."""
        return getattr(self.service_actions, "__func__", None) in QUIET_SERVICE_ACTIONS

    def _loop_class(self) -> type[ServeLoop]:
        """Return the class of the serve loop. Mix-ins override it."""
        return ServeLoop

    def _loop_started(self, loop: ServeLoop) -> None:
        """Called with each new loop, to add descriptors to watch. Mix-ins override it."""

    def handle_request(self) -> None:
        """Handle one request. If none comes within `timeout`, call `handle_timeout()`."""
        if not hasattr(self, "fileno"):
            self._handle_request_noblock()
            return
        with LoopSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            wait = self._request_timeout()
            deadline = None if wait is None else monotonic() + wait
            while not selector.select(wait):
                if deadline is not None:
                    wait = deadline - monotonic()
                    if wait <= 0:
                        self.handle_timeout()
                        return
        self._handle_request_noblock()

    def _request_timeout(self) -> float | None:
        """Return the shorter of `timeout` and the listening socket's own timeout."""
        listener = getattr(self, "socket", None)
        waits = [self.timeout, listener.gettimeout() if listener is not None else None]
        return min((wait for wait in waits if wait is not None), default=None)

    def _handle_request_noblock(self) -> None:
        """Get the request that is ready, and process it."""
        try:
            request, client_address = self._next_request()
        except OSError as error:
            self._accept_failed(error)
        except Exception:
            report_failure(self, None, None)
            self._rest()
        else:
            self._control.recovered()
            self._take(request, client_address)

    def _next_request(self) -> tuple[Any, Any]:
        """Get a request. Threads that serve the same listener take turns, as all of them see the same request."""
        if not self._control.is_shared():
            return self.get_request()
        with self._control.turn:
            loop = self._control.here()
            if loop is not None and not loop.is_ready():
                raise BlockingIOError(errno.EAGAIN, "another thread was faster")
            return self.get_request()

    def _take(self, request: Any, client_address: Any) -> None:
        """Pass one request through its hooks. No failure of a request ends the server."""
        mark = fork_hooks.now()
        process_id = os.getpid()
        status = 0
        open_requests(self).add(request, client_address)
        try:
            if self.verify_request(request, client_address):
                self.process_request(request, client_address)
            else:
                release(self, request, mark)
        except Exception:
            status = 1
            give_up(self, request, client_address, mark)
        except BaseException as error:
            status = exit_status(error) if isinstance(error, SystemExit) else 1
            release(self, request, mark)
            raise
        finally:
            if os.getpid() != process_id:
                end_of_forked_handler(status)

    def _accept_failed(self, error: OSError) -> None:
        if error.errno in EXHAUSTED or error.errno in UNUSABLE:
            if not self._control.is_resting():
                try:
                    self.handle_accept_error(error)
                except Exception:
                    write_report("handle_accept_error() failed itself, on", self.server_address)
            self._rest()

    def _rest(self) -> None:
        """Pause accepting, for longer after each failure in a row."""
        self.pause_accepting(self._control.next_rest())

    def pause_accepting(self, seconds: float) -> None:
        """Accept no requests for `seconds`; they wait in the listener's queue. From the serving thread only."""
        loop = self._control.here()
        if loop is None:
            sleep(seconds)
        elif getattr(self, "fileno", int)() < 0:
            loop.stop()  # the listener was closed
        else:
            loop.rest(seconds)

    # --- stopping

    def request_stop(self) -> None:
        """Tell `serve_forever()` to end, without waiting for it. Otherwise like `shutdown()`."""
        self._control.stop()

    def shutdown(self) -> None:
        """Stop `serve_forever()` and wait until it has ended. Requests in threads or processes are not waited for.

        May be called at any time, more than once, and from any thread, handler or signal handler. A call before the
        first `serve_forever()` makes that one return at once. In the loop's own thread, and in a forked child, it
        does not wait.

        Raises StillRunning if the loop has not ended after `stop_timeout` seconds.
        """
        self._control.stop()
        self._wait_for_loops()

    def server_close(self) -> None:
        """Stop, end the accepted connections, wait for their handlers, and release all resources.

        The connections are first shut down for reading: a handler that waits for its client sees the end of the
        stream, and a handler that is replying can finish. After half of `stop_timeout` they are shut down both ways.
        With `block_on_close = False` the connections stay open and handlers are not waited for. The socket of a
        datagram server, through which handlers reply, stays open until all of them have ended, daemon threads too.

        In a forked child it only closes the child's descriptors; the parent's requests and loops continue.

        May be extended (call super). Raises StillRunning, which names what has not ended.
        """
        self._control.stop(parents_too=False)
        try:
            if self.block_on_close:
                self._end_requests()
            else:
                self._wait_for_loops()
        finally:
            self._close_listener()

    def end_requests(self, *, how: int = BOTH) -> None:
        """Shut down the accepted connections (`how` as in shutdown(2)), so that their handlers end."""
        open_requests(self).end(how)

    def kill_requests(self) -> None:
        """Kill the processes that handle requests; the mix-in for these overrides it. Threads cannot be killed."""

    def wait_for_requests(self, timeout: float | None = None, *, daemons: bool = True) -> list[str]:
        """Wait for requests in threads or processes; return the names of those still running after `timeout` seconds.

        `daemons=False` leaves out daemon threads. The mix-ins override it.
        """
        return []

    def _wait_for_loops(self) -> None:
        if not self._control.wait(self.seconds_to_stop):
            clients = open_requests(self).clients()
            raise StillRunning("serve_forever()", self.stop_timeout, clients, is_cut=is_over())

    @property
    def seconds_to_stop(self) -> float:
        """How long a stop that begins now may take: `stop_timeout`, cut to what the test has left of its time."""
        return to_stop(self.stop_timeout)

    def _end_requests(self) -> None:
        """End connections, and wait for loops and handlers. In the first half of the time, end reading only."""
        half = self.seconds_to_stop / 2
        loops_ended = False
        for how in (READING, BOTH):
            open_requests(self).end_new(how)
            self.end_requests(how=how)
            deadline = monotonic() + half
            loops_ended = self._control.wait(half)
            left = self.wait_for_requests(max(0.0, deadline - monotonic()), daemons=self._shares_socket)
            if loops_ended and not left:
                return
        left = self.wait_for_requests(0.0, daemons=False)
        if loops_ended and not left:
            return  # only daemons are left
        if not left:
            left = open_requests(self).clients()
        raise StillRunning("server_close(): requests in progress", self.stop_timeout, left, is_cut=is_over())

    def _close_listener(self) -> None:
        """Close the source of new requests. Servers with a socket override it."""

    # --- hooks

    def get_request(self) -> tuple[Any, Any]:
        """Return (request, client_address). Must be overridden; the socket servers do so."""
        raise NotImplementedError(f"{type(self).__name__} must override get_request()")

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether to go on with this request.

        May be overridden. A request that is turned away is shut down, not handled.
        """
        return True

    def process_request(self, request: Any, client_address: Any) -> None:
        """Handle the request in the calling thread. The mix-ins override it."""
        mark = fork_hooks.now()
        self.finish_request(request, client_address)
        release(self, request, mark)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handle the request: create an instance of the handler class. May be overridden."""
        self.RequestHandlerClass(request, client_address, self)

    def shutdown_request(self, request: Any) -> None:
        """Tell the client that the request is over, then close it. May be overridden."""
        self.close_request(request)

    def close_request(self, request: Any) -> None:
        """Release the resources of one request. May be overridden."""

    def service_actions(self) -> None:
        """Do work that is due between requests. May be extended (call super). See `serve_forever`."""

    def handle_timeout(self) -> None:
        """Called when `handle_request()` has waited for `timeout` seconds. May be overridden."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report the exception being handled. May be overridden.

        The default writes it to stderr in one piece. An exception raised here is reported as well, and ends only
        this request. `request` is None if `get_request()` failed.
        """
        write_report("Exception occurred during processing of request from", client_address)

    def handle_disconnect(self, request: Any, client_address: Any) -> None:
        """Called instead of `handle_error()` when a handler failed because its client reset or closed the connection.

        May be overridden. The default does nothing: what a client does is an outcome, not an error of the server.
        """

    def handle_accept_error(self, error: OSError) -> None:
        """Called when a request could not be accepted, for lack of descriptors or memory (accept(2)).

        May be overridden. Called once for each series of failures. The server tries again after 0.05 s; the pause
        doubles up to 1 s. The default writes the error to stderr.
        """
        write_report("Exception occurred while accepting on", self.server_address)


QUIET_SERVICE_ACTIONS: set[Callable[[Any], None]] = {BaseServer.service_actions}
"""Implementations that do nothing between requests, so the loop need not call them at intervals."""
