"""One request of a trio server: its task, its stream or thread, and its end."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from windsock.net import addresses
from windsock.net.system import os, threading
from windsock.servers import fork_hooks
from windsock.servers.async_handlers import is_async, name_of, run_class
from windsock.servers.requests import (
    BOTH,
    client_is_gone,
    end_of_forked_handler,
    give_up,
    open_requests,
    release,
    release_or_report,
    report_failure,
)
from windsock.servers.threads import Threads
from windsock.servers.trio.datagrams import DatagramRequest
from windsock.servers.trio.loop import lost_connection
from windsock.servers.trio.tasks import RequestTask, RequestTasks
from windsock.servers.trio.threads import run_in_thread

if TYPE_CHECKING:
    from types import FrameType

    from windsock.servers.transports import TCPServer as _AnyServer
else:  # a mix-in for any of the servers
    _AnyServer = object

__all__ = ["TrioRequests", "nobody_waits_for"]


class TrioRequests(_AnyServer):
    """The part of TrioMixIn that handles one request."""

    raise_errors = False
    daemon_threads = False

    @property
    def handles_async(self) -> bool:
        """True if the handler runs as a task; otherwise it runs in a thread."""
        return is_async(self.RequestHandlerClass)

    async def serve_request(self, request: Any, client_address: Any) -> None:
        """Handle the request with an async handler. May be overridden, or extended (await super's)."""
        import trio

        handler = self.RequestHandlerClass
        if isinstance(request, tuple):
            datagram = DatagramRequest(request, client_address)
            if isinstance(handler, type):
                given = {"packet": datagram.packet, "reply": datagram.reply}
                await run_class(handler, request, client_address, self, given)
            else:
                await handler(datagram, client_address, self)
            return
        stream = await self.make_stream(request)
        try:
            await self.serve_stream(stream, request, client_address)
        except Exception as error:
            lost = lost_connection(error)
            if lost is None or lost is error or not client_is_gone(request, lost):
                raise
            raise lost from error  # the error that a blocking handler would have got
        finally:
            if request.fileno() < 0:  # closed by the handler, or not a plain socket: nothing else would close it
                await trio.aclose_forcefully(stream)

    async def serve_stream(self, stream: Any, request: Any, client_address: Any) -> None:
        """Handle a request that has a stream. May be extended (await super's)."""
        handler = self.RequestHandlerClass
        if isinstance(handler, type):
            await run_class(handler, request, client_address, self, {"stream": stream})
        else:
            await handler(stream, client_address, self)

    async def make_stream(self, request: Any) -> Any:
        """Return the stream over a socket that an async handler gets. May be extended (await super's)."""
        from windsock.servers.trio.system import stream_over

        return stream_over(request)

    def _begin(self, request: Any, client_address: Any) -> RequestTask:
        open_requests(self).add(request, client_address)  # a subclass may have replaced the accepted object
        task = RequestTask(f"{name_of(self.RequestHandlerClass)} {addresses.show(client_address)}", request)
        self._tasks.add(task)
        return task

    async def _handle_alone(self, request: Any, client_address: Any) -> None:
        await self._handle(self._begin(request, client_address), request, client_address)

    async def _handle(self, task: RequestTask, request: Any, client_address: Any) -> None:
        """Handle one request; the body of its task."""
        try:
            with task.scope:
                if self.handles_async:
                    await self._handle_in_task(task, request, client_address)
                else:
                    await self._handle_in_thread(task, request, client_address)
        finally:
            self._tasks.end(task)

    def handler_frames(self) -> list[tuple[Any, list[FrameType]]]:
        """Return the requests of async handlers, each with the frames where it stands, the innermost first."""
        return self._tasks.handler_frames()

    def run_beside_handler(self, request: Any, work: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Run an async function in the loop in which a request is handled, and wait for it. From another thread.

        Raises BrokenPipeError if the request is over.
        """
        import trio

        task = self._tasks.of(request)
        if task is None:
            raise BrokenPipeError
        try:
            task.run_beside(work, *args)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.RunFinishedError) as error:
            raise BrokenPipeError from error

    async def _handle_in_task(self, task: RequestTask, request: Any, client_address: Any) -> None:
        import trio

        task.coroutine = trio.lowlevel.current_task().coro
        try:
            await self.serve_request(request, client_address)
        except Exception:
            nobody_waits_for(request)
            give_up(self, request, client_address, fork_hooks.now())
            if self.raise_errors:
                raise
        except BaseException as error:  # cancelled
            rest = self._report_errors_among(error, request, client_address)
            nobody_waits_for(request)
            release_or_report(self, request, client_address, fork_hooks.now())
            raise rest from None
        else:
            nobody_waits_for(request)
            release_or_report(self, request, client_address, fork_hooks.now())

    def _report_errors_among(self, error: BaseException, request: Any, client_address: Any) -> BaseException:
        """Report errors that a cancelled handler raised besides; return the exception to raise."""
        errors, rest = error.split(Exception) if isinstance(error, BaseExceptionGroup) else (None, error)
        if errors is None or rest is None:
            return error
        try:
            raise errors  # noqa: TRY301  # the hooks use sys.exception()
        except Exception:
            report_failure(self, request, client_address)
        return rest

    # --- a blocking handler

    async def _handle_in_thread(self, task: RequestTask, request: Any, client_address: Any) -> None:
        failures: list[Exception] = []
        work = functools.partial(self._run_in_thread, task, request, client_address, failures)
        end = functools.partial(open_requests(self).end_one, request, BOTH)
        try:
            await run_in_thread(self.request_threads, work, end, name=task.name, daemon=self.daemon_threads)
        except RuntimeError:  # no thread can be started
            give_up(self, request, client_address, fork_hooks.now())
        if failures and self.raise_errors:
            raise failures[0]

    def _run_in_thread(self, task: RequestTask, request: Any, client_address: Any, failures: list[Exception]) -> None:
        """Handle the request with a blocking handler, in its thread."""
        task.worker_id = threading.get_ident()
        mark = fork_hooks.now()
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
            release_or_report(self, request, client_address, mark)
        finally:
            if os.getpid() != process_id:
                end_of_forked_handler(0)

    # --- state of one server

    @property
    def _tasks(self) -> RequestTasks:
        tasks: RequestTasks | None = vars(self).get("_trio_tasks")
        if tasks is None:  # setdefault: two serving threads may get here at once
            tasks = vars(self).setdefault("_trio_tasks", RequestTasks())
        return tasks

    @property
    def request_threads(self) -> Threads:
        """The threads of requests in progress."""
        threads: Threads | None = vars(self).get("_trio_threads")
        if threads is None:
            threads = vars(self).setdefault("_trio_threads", Threads())
        return threads


def nobody_waits_for(request: Any) -> None:
    """Wake tasks that still wait on a descriptor that is about to be closed."""
    import trio

    if not isinstance(request, tuple) and request.fileno() >= 0:
        trio.lowlevel.notify_closing(request.fileno())
