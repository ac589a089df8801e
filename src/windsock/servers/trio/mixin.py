"""TrioMixIn: a trio task for each request; a blocking handler gets a thread, and its task waits for it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.net.deadlines import to_stop
from windsock.net.system import socket, threading
from windsock.servers.base import QUIET_SERVICE_ACTIONS
from windsock.servers.requests import BOTH
from windsock.servers.threads import name_and_place
from windsock.servers.trio.loop import Run, call_every, cancel_when_stopped, only_one
from windsock.servers.trio.requests import TrioRequests, nobody_waits_for

if TYPE_CHECKING:
    import trio

    from windsock.servers.loop import ServeLoop

__all__ = ["TrioMixIn"]

COUNTING = threading.Lock()
"""Guards the count of accepting threads, as several may serve one server."""


class TrioMixIn(TrioRequests):
    """Handles each request in a trio task. Comes first among the bases.

    It serves in the caller's nursery, `await nursery.start(server.serve)`, or in a thread of its own, where
    `serve_forever()` runs trio.

    A handler class with an async `setup`, `handle` or `finish` runs as a task. Its instances have `stream`
    (a `trio.SocketStream`; for records, a RecordStream), or for datagrams `packet` and `await reply(data)`. An async
    function is called with the stream (for datagrams: an object with `packet` and `reply`), the client's address and
    the server. Any other handler runs unmodified in a thread, with a blocking socket.

    Hooks, in the order in which a request meets them: `get_request`, `verify_request`, `process_request`, then
    `serve_request`, `make_stream` and `serve_stream` for an async handler or `finish_request` for a blocking one,
    and at the end `shutdown_request` and `close_request`. They run in trio's thread and must not block, except
    from `finish_request` on for a blocking handler: those run in its thread.

    `raise_errors`: whether a handler's exception, once reported, is raised again from `serve()`.
    `daemon_threads`: whether the interpreter may exit while blocking handlers run.
    """

    takes_async_handlers = True
    _timeout_before: float | None = None
    _accepting = 0

    # --- serving

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Run trio in this thread; handle requests until `shutdown()`, and wait for those in progress."""
        import trio

        from windsock.servers.trio.system import RealClock

        try:
            trio.run(functools.partial(self.serve, poll_interval=poll_interval), clock=RealClock())
        except BaseExceptionGroup as group:
            raise only_one(group) from None

    async def serve(self, *, poll_interval: float = 0.5, task_status: Any = None) -> None:
        """Handle requests until `shutdown()` or until cancelled; reports `server_address` when it has started.

        After `shutdown()` it waits for the requests in progress; cancellation cancels them too. Either way all
        accepted connections are closed when it returns. The listener is closed by `server_close()`.
        """
        import trio

        if not hasattr(self, "_control"):
            raise UsageError(f"{type(self).__name__}: TrioMixIn needs a server class of windsock.servers after it")
        async with trio.open_nursery() as nursery:
            run = Run(nursery)
            self._runs.append(run)
            try:
                with self._control.serving(self) as loop:
                    if task_status is not None:
                        task_status.started(self.server_address)
                    if loop is not None:
                        with self._quick_to_accept():
                            await self._accept_until_stopped(loop, run, poll_interval)
            finally:
                self._runs.remove(run)

    def prepare_to_serve(self) -> None:
        """Import trio, and create what the next `serve_forever()` needs. Optional."""
        from windsock.servers.trio.system import check_usable

        check_usable()
        super().prepare_to_serve()

    async def _accept_until_stopped(self, loop: ServeLoop, run: Run, poll_interval: float) -> None:
        import trio

        async with trio.open_nursery() as waiting:
            waiting.start_soon(cancel_when_stopped, loop, waiting.cancel_scope)
            if getattr(self.service_actions, "__func__", None) not in QUIET_SERVICE_ACTIONS:
                waiting.start_soon(call_every, poll_interval, self._look_after, waiting.cancel_scope)
            while not loop.stopping and self.fileno() >= 0:
                try:
                    await trio.lowlevel.wait_readable(self.fileno())
                except (trio.ClosedResourceError, OSError, ValueError):
                    if self.fileno() >= 0:
                        raise
                    break  # the listener was closed
                self._handle_request_noblock()
                self.service_actions()
                rest, run.rest = run.rest, 0.0
                if rest:
                    await trio.sleep(rest)
            waiting.cancel_scope.cancel()

    def _look_after(self, scope: trio.CancelScope) -> None:
        """Call `service_actions()` at intervals; cancel the scope if the listener was closed."""
        if self.fileno() < 0:
            scope.cancel()
        self.service_actions()

    @contextlib.contextmanager
    def _quick_to_accept(self) -> Iterator[None]:
        """Make a stream listener non-blocking meanwhile: a client may be gone before it is accepted.

        A datagram socket stays unchanged: blocking handlers reply through it, and its readiness can be relied on.
        """
        if self.socket_type == socket.SOCK_DGRAM or self.fileno() < 0:
            yield
            return
        listener = self.socket
        with COUNTING:
            self._accepting += 1
            if self._accepting == 1:
                self._timeout_before = listener.gettimeout()
                _set_timeout(listener, 0.0)
        try:
            yield
        finally:
            with COUNTING:
                self._accepting -= 1
                if not self._accepting:
                    _set_timeout(listener, self._timeout_before)

    def pause_accepting(self, seconds: float) -> None:
        """Accept no requests for `seconds`; they wait in the listener's queue. From the serving thread only."""
        run = self._run_here()
        if run is None:
            super().pause_accepting(seconds)
        else:
            run.rest = seconds

    def _run_here(self) -> Run | None:
        """Return the `serve()` that runs in this thread."""
        me = threading.get_ident()
        return next((run for run in reversed(self._runs) if run.thread_id == me), None)

    # --- one request

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a task for the request; outside of `serve()`, handle it in the calling thread."""
        import trio

        from windsock.servers.trio.system import RealClock

        run = self._run_here()
        if run is None:
            trio.run(self._handle_alone, request, client_address, clock=RealClock())
        else:
            task = self._begin(request, client_address)
            run.nursery.start_soon(self._handle, task, request, client_address, name=task.name)

    # --- stopping

    def end_requests(self, *, how: int = BOTH) -> None:
        """Shut down the accepted connections; cancel async handlers too, unless only reading is shut down."""
        super().end_requests(how=how)
        if how == BOTH:
            self._tasks.cancel()

    def wait_for_requests(self, timeout: float | None = None, *, daemons: bool = True) -> list[str]:
        """Wait for tasks and threads; return the names of those still running after `timeout` seconds.

        In trio's own thread it does not wait, as tasks could not run meanwhile.
        """
        timeout = to_stop(timeout)
        left = self._tasks.wait(timeout)
        if not left and not self._tasks.are_here():
            left = [name_and_place(thread) for thread in self.request_threads.wait(timeout, daemons=daemons)]
        return left

    def _close_listener(self) -> None:
        if self._run_here() is not None and self.fileno() >= 0:
            nobody_waits_for(self)
        super()._close_listener()

    # --- state of one server

    @property
    def _runs(self) -> list[Run]:
        runs: list[Run] = vars(self).setdefault("_trio_runs", [])
        return runs


def _set_timeout(listener: socket.socket, seconds: float | None) -> None:
    """Set the timeout of a listener, unless another thread has closed it: the loop sees that by itself."""
    try:
        listener.settimeout(seconds)
    except OSError:
        if listener.fileno() >= 0:
            raise
