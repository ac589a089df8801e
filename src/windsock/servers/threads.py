"""A thread for each request."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from windsock.net import addresses
from windsock.net.deadlines import capped, to_stop, within
from windsock.net.system import monotonic, os, socket, threading
from windsock.servers import fork_hooks
from windsock.servers.requests import end_of_forked_handler, give_up, open_requests, release, release_or_report

__all__ = ["ThreadingMixIn", "Threads", "name_and_place"]


MANY = 16
"""The number of finished threads that are kept before they are joined."""


class Startable(Protocol):
    """The methods of a thread that a server uses."""

    @property
    def name(self) -> str:
        """The name of the thread."""
        ...

    @property
    def daemon(self) -> bool:
        """True if the interpreter may exit while the thread runs."""
        ...

    def start(self) -> None:
        """Start the thread."""
        ...

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended."""
        ...


class Threads:
    """The threads of one server, daemons included, each known from its start to its end."""

    def __init__(self) -> None:
        self.before_start: Callable[[], object] | None = None
        """Called before each start. A RuntimeError from it is handled like a thread that cannot be started."""
        self.after_fork_in_child()
        fork_hooks.renew_in_children(self)

    def after_fork_in_child(self) -> None:
        """Replace the lock, and forget the threads: a child has none of its parent's."""
        self._changed = threading.Condition()
        self._running: set[Startable] = set()
        self._ending: list[Startable] = []
        self._waiting: set[Startable] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, thread: Startable) -> None:
        """Start a thread and keep it. If it cannot be started, it is not kept and RuntimeError is raised."""
        if len(self._ending) > MANY:
            self._bury()
        with self._changed:
            self._running.add(thread)
        try:
            if self.before_start is not None:
                self.before_start()
            thread.start()
        except BaseException:
            with self._changed:
                self._running.discard(thread)
                self._changed.notify_all()
            raise

    def end(self) -> None:
        """Note that the current thread has done its work."""
        me = threading.current_thread()
        with self._changed:
            self._running.discard(me)
            self._ending.append(me)
            self._changed.notify_all()

    def wait(self, seconds: float | None, *, daemons: bool) -> list[Startable]:
        """Wait until all but the current thread have ended; return those that have not."""
        deadline = None if seconds is None else monotonic() + seconds
        if threading.current_thread() not in self._running:
            return self._join(deadline, daemons)
        with self._changed:
            self._waiting.add(threading.current_thread())
            self._changed.notify_all()
            left = self._others(daemons)
            while left and (deadline is None or monotonic() < deadline):
                self._changed.wait(None if deadline is None else capped(deadline - monotonic()))
                left = self._others(daemons)
            self._waiting.discard(threading.current_thread())
        self._bury()
        return left

    def _join(self, deadline: float | None, daemons: bool) -> list[Startable]:
        """Join the threads themselves: one switch to each, without a notification of its end."""
        if not self._running and not self._ending:
            return []
        with self._changed:
            others = self._others(daemons)
        for thread in others:
            with contextlib.suppress(RuntimeError):  # it is just about to start
                thread.join(None if deadline is None else capped(deadline - monotonic()))
        self._bury()
        with self._changed:
            return self._others(daemons)

    def wait_for_room(self, most: int, *, seconds: float) -> bool:
        """Wait until fewer than `most` threads are running; return False if that takes longer than `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._running) < most, seconds)

    def _others(self, daemons: bool) -> list[Startable]:
        """Return the threads to wait for. Requests that wait for the others do not wait for each other."""
        me = threading.current_thread()
        mine = self._waiting if me in self._running else {me}
        return [each for each in self._running if each not in mine and (daemons or not each.daemon)]

    def _bury(self) -> None:
        """Join the threads that have finished, which takes a moment each."""
        if not self._ending:
            return
        with self._changed:
            ending, self._ending = self._ending, []
        for thread in ending:
            if thread is not threading.current_thread():
                thread.join(5)


def name_and_place(thread: Startable) -> str:
    """Return the name of a thread that does not end, and the line at which it stands."""
    from windsock.net.whereabouts import place_of_thread  # which few servers need

    ident = getattr(thread, "ident", None)
    place = "" if ident is None else place_of_thread(ident)
    return f"thread {thread.name!r} at {place}" if place else f"thread {thread.name!r}"


class ThreadingMixIn:
    """Handles each request in a thread of its own. Comes first among the bases.

    `daemon_threads`: whether the interpreter may exit while requests are in progress. `block_on_close`: whether
    `server_close()` ends the connections and waits for non-daemon threads (for datagrams also for daemons, which
    reply through the server's socket); `wait_for_requests()` waits for daemons too. `max_threads` (None: no
    limit): the server accepts no more requests while that many are in progress.
    """

    daemon_threads = False
    block_on_close = True
    max_threads: int | None = None
    thread_class: Any = threading.Thread
    """The class of the threads: called, started and joined like threading.Thread."""

    @property
    def request_threads(self) -> Threads:
        """The threads of requests in progress."""
        threads: Threads | None = vars(self).get("_threads")
        if threads is None:  # setdefault: two serving threads may get here at once
            threads = vars(self).setdefault("_threads", Threads())
        return threads

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for the request."""
        self._wait_for_room()
        open_requests(self).add(request, client_address)  # a subclass may have replaced the accepted object
        thread = self.thread_class(
            target=self._run_request,
            args=(request, client_address),
            name=f"{type(self).__name__} {addresses.show(client_address)}",
            daemon=self.daemon_threads,
        )
        self.request_threads.start(thread)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handle the request, in its thread. May be extended (call super)."""
        mark = fork_hooks.now()
        try:
            self.finish_request(request, client_address)  # type: ignore[attr-defined]  # the server class has it
        except Exception:
            give_up(self, request, client_address, mark)
        except BaseException:
            release(self, request, mark)
            raise
        else:
            release_or_report(self, request, client_address, mark)

    def wait_for_requests(self, timeout: float | None = None, *, daemons: bool = True) -> list[str]:
        """Wait for the threads; return the names of those running after `timeout` seconds, and where they stand."""
        return [name_and_place(thread) for thread in self.request_threads.wait(to_stop(timeout), daemons=daemons)]

    def server_close(self) -> None:
        """Close, then wait as `block_on_close` says. May be extended (call super)."""
        waits_itself = self.block_on_close and not hasattr(self, "stop_timeout")  # over a class of another family
        if waits_itself and getattr(self, "socket_type", None) == socket.SOCK_DGRAM:
            self.wait_for_requests(within(5.0))  # before the socket that they reply through is closed
        super().server_close()  # type: ignore[misc]  # the server class has it
        if waits_itself:
            self.wait_for_requests(within(5.0), daemons=False)

    def _run_request(self, request: Any, client_address: Any) -> None:
        process_id = os.getpid()
        try:
            self.process_request_thread(request, client_address)
        finally:
            if os.getpid() != process_id:
                end_of_forked_handler(0)
            self.request_threads.end()

    def _wait_for_room(self) -> None:
        if self.max_threads is None:
            return
        control = getattr(self, "_control", None)
        while not self.request_threads.wait_for_room(self.max_threads, seconds=0.05):
            if control is not None and control.is_stopping():
                raise RuntimeError(f"the server stopped while all of its {self.max_threads} threads were busy")
