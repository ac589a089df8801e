"""A process for each request."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from windsock.net.deadlines import to_stop
from windsock.net.system import os, socket, threading
from windsock.net.whereabouts import Line
from windsock.servers import fork_hooks
from windsock.servers.base import QUIET_SERVICE_ACTIONS
from windsock.servers.forking import fork_probe, inherited_fds, orphans
from windsock.servers.forking.child_stack import ChildStack
from windsock.servers.forking.children import Children
from windsock.servers.loop import ServeLoop
from windsock.servers.requests import exit_status, open_requests, release_or_report, report_failure, write_report

__all__ = ["ForkingMixIn"]


class ForkingMixIn:
    """Handles each request in a process of its own. Comes first among the bases.

    `active_children` (a set of pids; None before the first) never holds more than `max_children`: the server
    waits before it forks. Each child is collected by its pid as soon as it ends. In the child of a stream,
    SIGTERM ends reading from the client and SIGHUP shuts the connection down both ways; neither ends the
    process, so the handler can finish.

    `block_on_close`: whether `server_close()` ends the connections and waits for the children.
    """

    timeout: float | None = 300
    active_children: set[int] | None = None
    max_children = 40
    block_on_close = True

    @property
    def _children(self) -> Children:
        children: Children | None = vars(self).get("_children_of_mine")
        if children is None:
            self.active_children = set()
            collector = _collector(self) if self._has_its_own_collector() else None
            children = vars(self)["_children_of_mine"] = Children(self.active_children, _teller(self), collector)
        return children

    def process_request(self, request: Any, client_address: Any) -> None:
        """Fork a child for the request. May be extended (call super)."""
        children = self._children
        control = getattr(self, "_control", None)
        loop = control.here() if control is not None else None
        if self._has_its_own_collector():
            self.collect_children()  # the override decides how many there may be
        elif not children.wait(self._has_room, None, loop.fileno() if loop is not None else None):
            raise RuntimeError(f"the server stopped while all of its {self.max_children} children were busy")
        orphans.prepare()
        parent, stack = os.getpid(), ChildStack.made()
        try:
            pid = fork_probe.fork(_fork, self.rehearse_in_child) if hasattr(self, "rehearse_in_child") else _fork()
        except BaseException:
            if stack is not None:
                stack.close()
            raise
        if pid == 0:
            self._run_child(request, client_address, parent, stack)
        children.add(pid, client_address, loop, stack)
        open_requests(self).discard(request)  # in this order: another thread may be ending all requests now
        self.close_request(request)  # type: ignore[attr-defined]  # the server class has it

    def child_exited(self, pid: int, exit_code: int) -> None:
        """Called with the exit code of each child; negative: the signal that ended it.

        May be extended. An exception raised here is written to stderr and has no other effect.
        """

    def collect_children(self, *, blocking: bool = False) -> None:
        """Take the exit status of the children that have ended; with `blocking`, wait for all of them.

        May be overridden: then nothing else takes the exit status of a child, and `max_children` is not enforced.
        It is called when a child ends, before each fork, from `service_actions()`, and by `server_close()`.
        """
        if self.active_children is not None:
            self._children.collect_all()
            if blocking:
                self.wait_for_requests(getattr(self, "seconds_to_stop", None))
                self._children.collect_all()

    def handle_timeout(self) -> None:
        """Collect children. May be extended (call super)."""
        self.collect_children()

    def service_actions(self) -> None:
        """Collect children. May be extended (call super)."""
        self.collect_children()

    def end_requests(self, *, how: int = socket.SHUT_RDWR) -> None:
        """End the connections; those in the children by SIGTERM (reading) or SIGHUP (both ways).

        Children of datagrams have no connection, and are left to finish.
        """
        super().end_requests(how=how)  # type: ignore[misc]  # the server class has it
        if self.active_children and not self._serves_datagrams():
            self._children.signal_all(signal.SIGHUP if how == socket.SHUT_RDWR else signal.SIGTERM)

    def signal_child(self, pid: int, number: int) -> None:
        """Send a signal to one child, if it has not ended."""
        if self.active_children:
            self._children.signal(pid, number)

    def kill_requests(self) -> None:
        """Kill the children, and wait a second for their ends."""
        if self.active_children:
            self._children.signal_all(signal.SIGKILL)
            self._children.wait(lambda: not self._children.running(), 1.0)

    def wait_for_requests(self, timeout: float | None = None, *, daemons: bool = True) -> list[str]:
        """Wait for the children; return descriptions of those still running after `timeout` seconds."""
        if not self.active_children:
            return []
        children = self._children
        children.wait(lambda: not children.running(), to_stop(timeout))
        return children.describe()

    def handler_stacks(self) -> dict[int, list[Line]]:
        """Return where the children stand that answer, by pid: the lines of each one's stack, the innermost first."""
        return self._children.stacks() if self.active_children else {}

    def server_close(self) -> None:
        """Close, then wait as `block_on_close` says. May be extended (call super).

        A child that does not end in time is killed, and named in StillRunning.
        """
        try:
            super().server_close()  # type: ignore[misc]  # the server class has it
            self.collect_children(blocking=self.block_on_close)
        except BaseException:  # StillRunning, or an exception of a signal's handler
            if self.block_on_close:
                self.kill_requests()
            raise
        finally:
            if self.active_children is not None:
                self._children.stop_watching()

    def _loop_started(self, loop: ServeLoop) -> None:
        """Have this loop collect the children of an earlier loop and of `handle_request()`."""
        super()._loop_started(loop)  # type: ignore[misc]  # the server class has it
        if self.active_children is not None:
            self.collect_children()
            self._children.adopt(loop)

    def _is_quiet(self) -> bool:
        return bool(super()._is_quiet()) and not self._has_its_own_collector()  # type: ignore[misc]  # as above

    def _has_its_own_collector(self) -> bool:
        return getattr(self.collect_children, "__func__", None) is not ForkingMixIn.collect_children

    def _has_room(self) -> bool:
        return len(self.active_children or ()) < self.max_children

    def _run_child(self, request: Any, client_address: Any, parent: int, stack: ChildStack | None) -> None:
        """Handle the request in the child, and exit. Never returns."""
        status = 1
        mark = fork_hooks.now()
        try:
            self.active_children = None  # they are its siblings
            vars(self).pop("_children_of_mine", None)
            inherited_fds.drop_all_but(request, self)
            orphans.end_with_parent(parent)
            if stack is not None:
                stack.answer()
            self._hang_up_on_signals(request)
            try:
                self.finish_request(request, client_address)  # type: ignore[attr-defined]  # the server class has it
                status = 0
            except Exception:
                report_failure(self, request, client_address)
            finally:
                if not release_or_report(self, request, client_address, mark):
                    status = 1
        except SystemExit as error:
            status = exit_status(error)
        except BaseException:
            write_report("Exception occurred in the child for a request from", client_address)
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)  # cleanup at its end may hold locks
            _flush_output()
            os._exit(status)

    def _serves_datagrams(self) -> bool:
        return getattr(self, "socket_type", None) == socket.SOCK_DGRAM

    def _hang_up_on_signals(self, request: Any) -> None:
        signal.set_wakeup_fd(-1)  # an event loop of the parent must not get the child's signals
        for number, how in ENDING_SIGNALS.items():
            signal.signal(number, signal.SIG_DFL if self._serves_datagrams() else _ending(request, how))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)


def _teller(server: ForkingMixIn) -> Callable[[int, int], None]:
    """Return a function that reports a child's end to the server, without a reference cycle."""
    who = weakref.ref(server)

    def tell(pid: int, exit_code: int) -> None:
        server = who()
        if server is not None:
            try:
                server.child_exited(pid, exit_code)
            except Exception:
                write_report(f"child_exited() failed itself, for process {pid} with exit code", exit_code)

    return tell


def _collector(server: ForkingMixIn) -> Callable[[], None]:
    """Return a function that calls the server's own `collect_children()`, without a reference cycle."""
    who = weakref.ref(server)

    def collect() -> None:
        server = who()
        if server is not None:
            server.collect_children()

    return collect


ENDING_SIGNALS = {signal.SIGTERM: socket.SHUT_RD, signal.SIGHUP: socket.SHUT_RDWR}


def _ending(request: Any, how: int) -> Callable[..., None]:
    def end(*_: object) -> None:
        with contextlib.suppress(AttributeError, OSError):
            request.shutdown(how)

    return end


if hasattr(os, "pidfd_open"):
    QUIET_SERVICE_ACTIONS.add(ForkingMixIn.service_actions)


USE_OF_FORK = re.compile(".*use of fork", re.IGNORECASE)
THIS_MODULE = re.compile(re.escape(__name__))

_forking = threading.Lock()
"""Serializes forks: two of them would add equal warning filters, and each would remove the other's."""


def _renew_lock() -> None:
    global _forking
    _forking = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _fork() -> int:
    """Fork, with ENDING_SIGNALS blocked in the child until it is ready for them."""
    _flush_output()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    pid = -1
    try:
        with _forking, _quiet_about_threads():
            pid = os.fork()
    finally:
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid


@contextlib.contextmanager
def _quiet_about_threads() -> Iterator[None]:
    """Suppress the warning of Python 3.12 and later about a fork in a process with threads.

    The warning is right, and the risk is part of forking: the child may find locks held by threads that it does
    not have. But every request would repeat it. `warnings.catch_warnings` would restore a whole list of filters,
    which another thread may have replaced meanwhile; so one filter is added and removed.
    """
    filters: Any = warnings.filters
    quiet = ("ignore", USE_OF_FORK, DeprecationWarning, THIS_MODULE, 0)
    filters.insert(0, quiet)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            filters.remove(quiet)


def _flush_output() -> None:
    """Flush stdout and stderr: before a fork, so that nothing is written twice, and before an exit."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
