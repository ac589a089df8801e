"""Faults of the process: no process, no thread, a handler that fails, a child that stands still or dies."""

from __future__ import annotations

import contextlib
import copy
import os as standard_os  # the standard library's own, which servers that are not windsock's call
import signal
from collections.abc import Collection, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from windsock.faults import Fault, ForkError, HandlerError, Kill, Pause, Resume, ThreadError
from windsock.net.processes import has_ended
from windsock.net.system import os, threading
from windsock.recording import Connection, Recorder
from windsock.servers import BaseServer
from windsock.servers.threads import Threads
from windsock.taps.requests import connection_of
from windsock.taps.seam import Seam

__all__ = ["Processes"]

FORK_FAILS: ContextVar[OSError | None] = ContextVar("FORK_FAILS", default=None)
THREAD_FAILS: ContextVar[bool] = ContextVar("THREAD_FAILS", default=False)
IN_CHILDREN = (Pause, Resume, Kill)


class _Forks:
    """os.fork() as it was, windsock's own and the one that other servers call; and how many want them replaced now."""

    lock = threading.Lock()
    plain: tuple[Any, ...] = ()
    users = 0


def _failing(fork: Any) -> Any:
    """Return os.fork() for all requests but the one that is to get no process."""

    def fork_or_fail() -> int:
        error = FORK_FAILS.get()
        if error is not None:
            raise error
        pid: int = fork()
        return pid

    return fork_or_fail


class Processes:
    """Acts on one server instance: around `process_request`, and instead of its handler."""

    def __init__(self, server: Any, seam: Seam, recorder: Recorder) -> None:
        self._server = server
        self._seam = seam
        self._recorder = recorder
        self._errors: dict[int, Exception | type[Exception]] = {}
        self._children: dict[int, tuple[int, int]] = {}
        self._paused: set[int] = set()
        self._original_handler = server.RequestHandlerClass
        self._stands_in_async = False

    # --- before and around process_request, in the loop's thread

    def decide(self, connection: Connection, faults: Iterable[Fault]) -> None:
        """Note that the handler of this connection is to fail."""
        for each in faults:
            if isinstance(each, HandlerError):
                self._errors[connection.index] = each.exception
                self._expect(connection.index)
                self._stand_in()

    @contextlib.contextmanager
    def around(self, connection: Connection, faults: list[Fault]) -> Iterator[None]:
        """Have forks and threads fail in this block; send signals to the child that it has made."""
        before = set(self._pids())
        with contextlib.ExitStack() as stack:
            for each in faults:
                if isinstance(each, ForkError):
                    self._expect(connection.index)
                    stack.enter_context(_fork_fails(each.code))
                elif isinstance(each, ThreadError):
                    self._expect(connection.index)
                    stack.enter_context(self._thread_fails())
            yield
        signals = [each for each in faults if isinstance(each, IN_CHILDREN)]
        for pid in set(self._pids()) - before:
            self._adopt(pid, connection.index)
            connection.pid = pid  # a child that dies at once does not report it
            for each in signals:
                self._send(each, connection.index)

    def _pids(self) -> Iterable[int]:
        return getattr(self._server, "active_children", None) or ()

    def _expect(self, what: object) -> None:
        self._recorder.expected.append(what)

    @contextlib.contextmanager
    def _thread_fails(self) -> Iterator[None]:
        if not isinstance(self._server, BaseServer):
            raise _no_thread()  # as its own process_request would
        server: Any = self._server  # one with threads
        threads: Threads = server.request_threads
        threads.before_start = _refuse_threads
        token = THREAD_FAILS.set(True)
        try:
            yield
        finally:
            THREAD_FAILS.reset(token)

    # --- in the place of the handler

    def _stand_in(self) -> None:
        """Have a look at each request before its handler does, from now on."""
        server = self._server
        if isinstance(server.RequestHandlerClass, _Handler):
            return
        if getattr(server, "handles_async", False):
            self._stand_in_async()
        else:
            server.RequestHandlerClass = _Handler(self._original_handler, self)

    def _stand_in_async(self) -> None:
        if self._stands_in_async:
            return
        self._stands_in_async = True

        async def stream(stream: Any, request: Any, client_address: Any) -> None:
            self.fail(request)
            await serve_stream(stream, request, client_address)

        async def request(request: Any, client_address: Any) -> None:
            if isinstance(request, tuple):
                self.fail(request)
            await serve_request(request, client_address)

        serve_stream = self._seam.intercept("serve_stream", stream)
        serve_request = self._seam.intercept("serve_request", request)

    def fail(self, request: Any) -> None:
        """Raise the error of a fault for the handler of this request, if there is one."""
        connection = connection_of(request)
        error = self._errors.pop(connection.index, None) if connection is not None else None
        if error is not None:
            raise error if isinstance(error, type) else copy.copy(error)  # each with a traceback of its own

    # --- children

    def _adopt(self, pid: int, index: int) -> None:
        try:
            descriptor = os.pidfd_open(pid)
        except (AttributeError, OSError):
            descriptor = -1
        self._forget(index)  # of an earlier test: its child may have ended before this thread adopted it
        self._children[index] = (pid, descriptor)

    def _forget(self, index: int) -> None:
        _, descriptor = self._children.pop(index, (0, -1))
        if descriptor >= 0:
            os.close(descriptor)

    def _send(self, fault: Fault, index: int) -> None:
        if isinstance(fault, Pause):
            self._paused.add(index)
            self._signal(index, signal.SIGSTOP)
        elif isinstance(fault, Resume):
            self.resume(index)
        elif isinstance(fault, Kill):
            self._expect(index)
            self._signal(index, fault.number)

    def _signal(self, index: int, number: int) -> None:
        pid, descriptor = self._children[index]
        with contextlib.suppress(ProcessLookupError):
            if descriptor >= 0:
                signal.pidfd_send_signal(descriptor, number)
            elif has_ended(pid) is False:
                os.kill(pid, number)

    def resume(self, index: int) -> None:
        """Have a child that stands still go on."""
        self._paused.discard(index)
        self._signal(index, signal.SIGCONT)

    def resume_all(self) -> None:
        """Have all children go on."""
        for index in list(self._paused):
            self.resume(index)

    def live(self) -> list[Connection]:
        """Return the connections whose children have not ended, those from before there were faults too."""
        self._recorder.catch_up()
        found = []
        for each in list(self._recorder.connections):
            pid = self._children.get(each.index, (each.pid, -1))[0]
            if each.ending is None and pid is not None and has_ended(pid) is False:
                if each.index not in self._children:
                    self._adopt(pid, each.index)
                found.append(each)
        return found

    def signal_now(self, fault: Fault, connection: Connection) -> None:
        """Send a fault's signal to a child that is `live()`."""
        self._send(fault, connection.index)

    def keep(self, indices: Collection[int]) -> None:
        """Forget the children of other connections: others may have their indices from now on."""
        for index in [each for each in self._children if each not in indices]:
            if index in self._paused:
                self.resume(index)
            self._forget(index)
        for index in [each for each in self._errors if each not in indices]:
            del self._errors[index]

    def close(self) -> None:
        """Give everything back."""
        self.resume_all()
        for _, descriptor in self._children.values():
            if descriptor >= 0:
                os.close(descriptor)
        self._children.clear()
        if isinstance(self._server.RequestHandlerClass, _Handler):
            self._server.RequestHandlerClass = self._original_handler


class _Handler:
    """Looks like the handler class, and calls it, unless the request's handler is to fail."""

    def __init__(self, handler: Any, processes: Processes) -> None:
        self._handler = handler
        self._processes = processes

    def __call__(self, request: Any, *rest: Any, **keywords: Any) -> Any:
        self._processes.fail(request)
        return self._handler(request, *rest, **keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)


@contextlib.contextmanager
def _fork_fails(code: int) -> Iterator[None]:
    """Have os.fork() fail in this context, and nowhere else."""
    with _Forks.lock:
        _Forks.users += 1
        if _Forks.users == 1:
            _Forks.plain = os.fork, standard_os.fork
            os.fork, standard_os.fork = map(_failing, _Forks.plain)
    token = FORK_FAILS.set(OSError(code, os.strerror(code)))
    try:
        yield
    finally:
        FORK_FAILS.reset(token)
        with _Forks.lock:
            _Forks.users -= 1
            if not _Forks.users:
                os.fork, standard_os.fork = _Forks.plain


def _no_thread() -> RuntimeError:
    return RuntimeError("can't start new thread")


def _refuse_threads() -> None:
    """Have this context's thread not start."""
    if THREAD_FAILS.get():
        raise _no_thread()
