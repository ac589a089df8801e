"""The run of one server: its serve loop in a thread, started, ended in order, and started again after an outage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from windsock.errors import StillRunning
from windsock.harness.lifecycle import Lifecycle, lifecycle_of
from windsock.harness.thread_pool import Joinable, ThreadPool, start_thread
from windsock.net import deadlines, virtual
from windsock.net.deadlines import is_over, to_stop
from windsock.net.system import monotonic, os, socket
from windsock.options import listeners
from windsock.options.server_options import Resolved
from windsock.recording import Connection, Recorder
from windsock.taps import current_handlers

if TYPE_CHECKING:
    from windsock.fakes.fake import Fake
    from windsock.harness.acceptances import Acceptances
    from windsock.injection.server_faults import ServerFaults

__all__ = ["ServerRun", "outage_of"]


class ServerRun:
    """The serve loop of a server in its thread, with all that ends when the server does: handlers, replies, peers."""

    acceptances: Acceptances | None = None
    """The connections that the test accepts; None until the first one."""

    def __init__(
        self,
        server: Any,
        options: Resolved,
        recorder: Recorder,
        fake: Fake | None,
        shown_address: str,
        thread_pool: ThreadPool | None,
    ) -> None:
        self._server = server
        self._options = options
        self._recorder = recorder
        self._fake = fake
        self._thread_name = f"windsock {options.name} {shown_address}"
        self._start_loop: Callable[[Callable[[], None], str], Joinable] = start_thread
        if thread_pool is not None and not options.runs_test_code_in_loop:
            self._start_loop = thread_pool.start
        self._thread: Joinable
        server.daemon_threads = True  # what will not end must not keep the interpreter from its end
        self._lifecycle = lifecycle_of(server)

    @property
    def is_alive(self) -> bool:
        """Whether the thread of the serve loop runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Serve in a thread."""
        self._lifecycle.prepare_to_serve()
        # Without a reference to a RunningServer: one that is let go of, running, has to be stopped (see its __del__).
        serve = partial(_serve, self._server, self._lifecycle, self._recorder.teller())
        self._thread = self._start_loop(serve, self._thread_name)

    def resume(self) -> None:
        """Undo `end()`, but for the listener."""
        self._recorder.resume()
        for each in (self._fake, self.acceptances):
            if each is not None:
                each.resume()
        self.start()

    def end_requests(self) -> None:
        """End the accepted connections."""
        self._lifecycle.end_requests()

    def end(self, *, for_good: bool, seconds: float | None = None) -> None:
        """End the loop and the connections; wait for handlers; close the listener. Interrupted, kill what is left.

        `seconds` is how long to wait, by default the server's timeout.
        """
        try:
            self._end_in_order(self._options.timeout if seconds is None else seconds, for_good=for_good)
        except BaseException as error:
            if not isinstance(error, StillRunning):  # of a signal's handler
                self._lifecycle.kill_requests()
            raise

    def _end_in_order(self, seconds: float, *, for_good: bool) -> None:
        left = to_stop(seconds)
        deadline = monotonic() + left
        self._recorder.stop()
        self._lifecycle.stop_timeout = left
        if self._fake is not None:
            self._fake.stop(left)
        if self.acceptances is not None:
            self.acceptances.stop()
        self._end_loop(deadline)
        self._lifecycle.end_requests()
        self._lifecycle.stop_timeout = max(deadlines.MOMENT, deadline - monotonic())
        listeners.refuse(self._server, for_good=for_good)
        try:
            self._lifecycle.server_close()
        except StillRunning as error:
            self._check_ended(error.what)
            return
        running = self._lifecycle.wait_for_requests(max(0.0, deadline - monotonic()))
        if self.acceptances is not None:
            running += self.acceptances.wait_for_end(deadline)
        self._check_ended(running)

    def _end_loop(self, deadline: float) -> None:
        self._lifecycle.request_stop()
        if self._options.concurrency in ("sync", "trio"):
            self._lifecycle.end_requests()  # serve_forever() ends no sooner
        self._thread.join(0.1)
        while self._thread.is_alive() and monotonic() < deadline:
            self._lifecycle.request_stop()
            self._lifecycle.end_requests()  # one that was on its way into the loop
            self._thread.join(0.1)

    def _check_ended(self, running: list[str]) -> None:
        """Raise StillRunning for requests that are, unless a Deadlock has named their threads already."""
        if running and not virtual.has_deadlock():
            what = f"stop() of the {self._options.name}: requests in progress"
            raise StillRunning(what, self._options.timeout, running, is_cut=is_over())


@contextmanager
def outage_of(
    server: Any, run: ServerRun, faults: ServerFaults | None, is_stopped: Callable[[], bool]
) -> Iterator[None]:
    """End the server's run for the length of a `with`; then serve again, unless it was stopped meanwhile."""
    if faults is not None:
        faults.check_outage()
    copy = _copy_of_listener(server, faults) if listeners.can_serve_again(server) else None
    try:
        run.end(for_good=False)
    except BaseException:
        if copy is not None:
            copy.close()
        raise
    if faults is not None:
        faults.listener.close()  # what belongs to the one that was closed
    holder = listeners.take_place(server, copy)
    try:
        yield
    finally:
        if is_stopped():
            listeners.give_up_place(server, holder)
        else:
            if copy is not None:
                listeners.serve_again(server, copy)
            else:
                listeners.bind_again(server, holder)
            run.resume()


def _copy_of_listener(server: Any, faults: ServerFaults | None) -> socket.socket:
    if faults is not None:
        return faults.listener.copy_of_listener()
    return socket.socket(fileno=os.dup(server.fileno()))


def _serve(server: Any, lifecycle: Lifecycle, failed: Callable[[Connection | None, BaseException], None]) -> None:
    current_handlers.begin(server)  # for good: the thread's context is its own
    try:
        lifecycle.serve_forever()
    except BaseException as error:  # of a hook between requests: nothing else would report it
        failed(None, error)
