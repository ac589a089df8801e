"""A trio task for each request; a blocking handler gets a thread, whose end its task waits for."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from windsock import addresses
from windsock.errors import UsageError
from windsock.servers import forks
from windsock.servers.async_handlers import is_async, name_of, run_class
from windsock.servers.base import QUIET_SERVICE_ACTIONS
from windsock.servers.requests import (
    BOTH,
    client_is_gone,
    end_of_forked_handler,
    give_up,
    open_requests,
    release,
    report_failure,
)
from windsock.servers.threads import Threads
from windsock.servers.trio_datagrams import Datagram
from windsock.servers.trio_loop import Run, call_every, cancel_when_stopped, lost_connection, only_one
from windsock.servers.trio_tasks import Task, Tasks
from windsock.servers.trio_threads import run_in_thread

if TYPE_CHECKING:
    import trio

    from windsock.servers.loop import Loop
    from windsock.servers.transports import TCPServer as _AnyServer
else:  # a mix-in over any of the servers
    _AnyServer = object

__all__ = ["TrioMixIn"]


class TrioMixIn(_AnyServer):
    """Handles each request in a trio task. Comes first among the bases.

    It serves in the caller's nursery, `await nursery.start(server.serve)`, or in a thread of its own, where
    `serve_forever()` runs trio.

    A handler class with an async `setup`, `handle` or `finish` runs as a task. Its instances have `stream`
    (a `trio.SocketStream`), or for datagrams `packet` and `await reply(data)`. An async function is called with
    that stream (for datagrams: an object with `packet` and `reply`), the client's address and the server. Any
    other handler runs unmodified in a thread, with a blocking socket.

    Hooks, in the order in which a request meets them: `get_request`, `verify_request`, `process_request`, then
    for an async handler `serve_request` and `make_stream`, for a blocking one `finish_request`, and in the end
    `shutdown_request` and `close_request`. All are called in trio's thread and must not block, except from
    `finish_request` on for a blocking handler: those are called in its thread.

    `raise_errors`: whether a handler's exception, once reported, goes on to whoever runs `serve()`.
    `daemon_threads`: whether the interpreter may exit while blocking handlers run.
    """

    takes_async_handlers = True
    raise_errors = False
    daemon_threads = False
    _timeout_before: float | None = None

    # --- serving

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Run trio in this thread, and handle requests until `shutdown()` and until those in progress have ended."""
        import trio

        try:
            trio.run(functools.partial(self.serve, poll_interval=poll_interval))
        except BaseExceptionGroup as group:
            raise only_one(group) from None

    async def serve(self, *, poll_interval: float = 0.5, task_status: Any = None) -> None:
        """Handle requests until `shutdown()` or until cancelled; reports `server_address` when it has started.

        After `shutdown()` it waits for the requests in progress; cancelled, it cancels them too. Either way all
        accepted connections are closed when it returns; the listener is closed by `server_close()`.
        """
        import trio

        if not hasattr(self, "_control"):
            raise UsageError(f"{type(self).__name__}: TrioMixIn needs a server class of windsock.servers behind it")
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
        """Import trio now, and make what the next `serve_forever()` needs. Optional."""
        import trio  # noqa: F401  # in good time

        super().prepare_to_serve()

    async def _accept_until_stopped(self, loop: Loop, run: Run, poll_interval: float) -> None:
        import trio

        async with trio.open_nursery() as waiting:
            waiting.start_soon(cancel_when_stopped, loop, waiting.cancel_scope)
            if getattr(self.service_actions, "__func__", None) not in QUIET_SERVICE_ACTIONS:
                waiting.start_soon(call_every, poll_interval, self._look_after, waiting.cancel_scope)
            while not loop.stopping and self.fileno() >= 0:
                with contextlib.suppress(trio.ClosedResourceError):
                    await trio.lowlevel.wait_readable(self.fileno())
                    self._handle_request_noblock()
                    self.service_actions()
                rest, run.rest = run.rest, 0.0
                if rest:
                    await trio.sleep(rest)
            waiting.cancel_scope.cancel()

    def _look_after(self, scope: trio.CancelScope) -> None:
        """Do what is due while nothing happens; end if somebody has closed the listener."""
        if self.fileno() < 0:
            scope.cancel()
        self.service_actions()

    @contextlib.contextmanager
    def _quick_to_accept(self) -> Iterator[None]:
        """Have a listener for streams not block, for the time being: its client may be gone before it is accepted.

        A datagram socket stays as it is: blocking handlers reply through it, and poll(2) is right about one.
        """
        if self.socket_type != socket.SOCK_STREAM or self.fileno() < 0:
            yield
            return
        listener = self.socket
        if len(self._runs) == 1:  # no other thread serves too
            self._timeout_before = listener.gettimeout()
            listener.setblocking(False)
        try:
            yield
        finally:
            if len(self._runs) == 1 and listener.fileno() >= 0:
                listener.settimeout(self._timeout_before)

    def _rest(self) -> None:
        """Leave the listener alone for a while, longer after each failure in a row."""
        run = self._run_here()
        if run is None:
            super()._rest()
        else:
            run.rest = self._control.next_rest()

    def _run_here(self) -> Run | None:
        """Return the `serve()` that runs in this thread."""
        me = threading.get_ident()
        return next((run for run in reversed(self._runs) if run.thread_id == me), None)

    # --- one request

    @property
    def handles_async(self) -> bool:
        """Whether the handler runs as a task; if not, in a thread."""
        return is_async(self.RequestHandlerClass)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a task for the request; outside of `serve()`, handle it here and now."""
        import trio

        run = self._run_here()
        if run is None:
            trio.run(self._handle_alone, request, client_address)
        else:
            task = self._begin(request, client_address)
            run.nursery.start_soon(self._handle, task, request, client_address, name=task.name)

    async def serve_request(self, request: Any, client_address: Any) -> None:
        """Handle the request with an async handler. May be overridden, or extended (await super's)."""
        import trio

        handler = self.RequestHandlerClass
        if isinstance(request, tuple):
            datagram = Datagram(request, client_address)
            if isinstance(handler, type):
                given = {"packet": datagram.packet, "reply": datagram.reply}
                await run_class(handler, request, client_address, self, given)
            else:
                await handler(datagram, client_address, self)
            return
        stream = await self.make_stream(request)
        try:
            if isinstance(handler, type):
                await run_class(handler, request, client_address, self, {"stream": stream})
            else:
                await handler(stream, client_address, self)
        except Exception as error:
            lost = lost_connection(error)
            if lost is None or lost is error or not client_is_gone(request, lost):
                raise
            raise lost from error  # as a blocking handler would have seen it
        finally:
            if request.fileno() < 0:  # closed by the handler, or not a plain socket: nobody else would close it
                await trio.aclose_forcefully(stream)

    async def make_stream(self, request: Any) -> Any:
        """Return the stream that an async handler gets for a socket. May be extended (await super's)."""
        import trio

        if type(request) is not socket.socket:  # trio takes no other kind
            request = socket.socket(fileno=request.detach())
        return trio.SocketStream(trio.socket.from_stdlib_socket(request))

    def _begin(self, request: Any, client_address: Any) -> Task:
        open_requests(self).add(request, client_address)  # it need not be the object that was accepted
        task = Task(f"{name_of(self.RequestHandlerClass)} {addresses.show(client_address)}")
        self._tasks.add(task)
        return task

    async def _handle_alone(self, request: Any, client_address: Any) -> None:
        await self._handle(self._begin(request, client_address), request, client_address)

    async def _handle(self, task: Task, request: Any, client_address: Any) -> None:
        """Be the task of one request."""
        try:
            with task.scope:
                if self.handles_async:
                    await self._handle_in_task(request, client_address)
                else:
                    await self._handle_in_thread(task, request, client_address)
        finally:
            self._tasks.end(task)

    async def _handle_in_task(self, request: Any, client_address: Any) -> None:
        try:
            await self.serve_request(request, client_address)
        except Exception:
            _nobody_waits_for(request)
            give_up(self, request, client_address, forks.now())
            if self.raise_errors:
                raise
        except BaseException as error:  # cancelled
            rest = self._report_errors_among(error, request, client_address)
            _nobody_waits_for(request)
            self._release(request, client_address, forks.now())
            raise rest from None
        else:
            _nobody_waits_for(request)
            self._release(request, client_address, forks.now())

    def _report_errors_among(self, error: BaseException, request: Any, client_address: Any) -> BaseException:
        """Report what a cancelled handler has raised besides; return what is to go on."""
        errors, rest = error.split(Exception) if isinstance(error, BaseExceptionGroup) else (None, error)
        if errors is None or rest is None:
            return error
        try:
            raise errors  # noqa: TRY301  # a hook asks for the exception being handled
        except Exception:
            report_failure(self, request, client_address)
        return rest

    def _release(self, request: Any, client_address: Any, mark: int) -> None:
        try:
            release(self, request, mark)
        except Exception:
            report_failure(self, request, client_address)

    # --- a blocking handler

    async def _handle_in_thread(self, task: Task, request: Any, client_address: Any) -> None:
        failures: list[Exception] = []
        work = functools.partial(self._run_in_thread, task, request, client_address, failures)
        end = functools.partial(open_requests(self).end_one, request, BOTH)
        try:
            await run_in_thread(self._threads, work, end, name=task.name, daemon=self.daemon_threads)
        except RuntimeError:  # no thread can be started
            give_up(self, request, client_address, forks.now())
        if failures and self.raise_errors:
            raise failures[0]

    def _run_in_thread(self, task: Task, request: Any, client_address: Any, failures: list[Exception]) -> None:
        """Handle the request with a blocking handler, in its thread."""
        task.worker_id = threading.get_ident()
        mark = forks.now()
        process_id = os.getpid()
        try:
            self.finish_request(request, client_address)
        except Exception as error:
            failures.append(error)
            give_up(self, request, client_address, mark)
        except BaseException:
            release(self, request, mark)
            raise
        else:
            self._release(request, client_address, mark)
        finally:
            if os.getpid() != process_id:
                end_of_forked_handler(0)

    # --- stopping

    def end_requests(self, *, how: int = BOTH) -> None:
        """Shut down the accepted connections; those of async handlers are cancelled too, unless only reading ends."""
        super().end_requests(how=how)
        if how == BOTH:
            self._tasks.cancel()

    def wait_for_requests(self, timeout: float | None = None, *, daemons: bool = True) -> list[str]:
        """Wait for tasks and threads; return the names of those still running after `timeout` seconds.

        In trio's own thread, whose tasks cannot go on meanwhile, it waits for none of them.
        """
        left = self._tasks.wait(timeout)
        if not left and not self._tasks.are_here():
            left = [f"thread {thread.name!r}" for thread in self._threads.wait(timeout, daemons=daemons)]
        return left

    def _close_listener(self) -> None:
        if self._run_here() is not None and self.fileno() >= 0:
            _nobody_waits_for(self)
        super()._close_listener()

    # --- what belongs to one server

    @property
    def _runs(self) -> list[Run]:
        runs: list[Run] = vars(self).setdefault("_trio_runs", [])
        return runs

    @property
    def _tasks(self) -> Tasks:
        tasks: Tasks | None = vars(self).get("_trio_tasks")
        if tasks is None:  # setdefault: two serving threads may meet here
            tasks = vars(self).setdefault("_trio_tasks", Tasks())
        return tasks

    @property
    def _threads(self) -> Threads:
        threads: Threads | None = vars(self).get("_trio_threads")
        if threads is None:
            threads = vars(self).setdefault("_trio_threads", Threads())
        return threads


def _nobody_waits_for(request: Any) -> None:
    """Wake tasks that still wait on a descriptor that is about to be closed."""
    import trio

    if not isinstance(request, tuple) and request.fileno() >= 0:
        trio.lowlevel.notify_closing(request.fileno())
