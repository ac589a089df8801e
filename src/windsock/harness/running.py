"""One server in a test: running, recorded, and stopped without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from windsock.errors import StillRunning, UsageError
from windsock.harness.checkpoints import CheckpointAPI
from windsock.harness.draining import Drain
from windsock.harness.fake_api import FakeAPI
from windsock.harness.hand import ServerHand
from windsock.harness.server_run import ServerRun, outage_of
from windsock.harness.thread_pool import ThreadPool
from windsock.harness.timed_outage import timed_outage
from windsock.net import addresses
from windsock.net.addresses import PrivateSocketPath
from windsock.net.blocks import Block
from windsock.net.deadlines import within
from windsock.net.interrupts import uninterrupted, uninterrupted_start
from windsock.net.system import monotonic, socket
from windsock.options import listeners
from windsock.options.server_options import Resolved
from windsock.recording import transcript
from windsock.recording.connections import count_in_words
from windsock.recording.errors import first_of_each
from windsock.servers.forking import inherited_fds
from windsock.taps import current_handlers, seam_for

if TYPE_CHECKING:
    from windsock.fakes.fake import Fake

__all__ = ["RunningServer"]


class RunningServer(FakeAPI, CheckpointAPI):
    """A server that runs in a thread of its own, from the constructor to `stop()`.

    `server` is the instance of the server class; `requests`, `connections` and `errors` are its recording. Without a
    handler it is a fake: `on()`, `reply()`, `echo()` and `play()` define its answers.
    """

    @uninterrupted_start
    def __init__(
        self, options: Resolved, thread_pool: ThreadPool | None = None, seed: Callable[[], int] | None = None
    ) -> None:
        super().__init__(
            options.name,
            strict=options.strict,
            timeout=options.timeout,
            framing=options.framing,
            is_unix=options.is_unix,
            is_datagram=options.is_datagram,
            redact=options.redact,
        )
        self._recorder.keeps_records = options.keeps_records
        self.options = options
        self._seed = seed
        self._fake: Fake | None = None
        if options.handler is None and not listeners.has_handler_of_its_own(options.server_class):
            from windsock.fakes.fake import Fake

            self._fake = Fake(
                options.framing,
                self._recorder,
                forks=options.concurrency == "forking",
                is_datagram=options.is_datagram,
                timeout=lambda: options.timeout,
            )
        self._private = PrivateSocketPath() if options.is_unix and options.path is None else None
        try:
            if options.concurrency == "forking":
                self._recorder.prepare_for_children()
            self.server: Any = listeners.listen(options, options.handler or self._fake, self._private)
        except BaseException:
            self._discard()
            self._remove_private_path()
            raise
        if self._recorder.protocol is not None:
            self._recorder.protocol = self._recorder.protocol.of_server(self.server)
        self.address: Any = listeners.address_of(self.server, options)
        self._run = ServerRun(self.server, options, self._recorder, self._fake, self.shown_address, thread_pool)
        self._seam = seam_for(self.server, self._recorder)
        self._seam.install()
        self._hand = ServerHand(
            self.server, self._seam, self._recorder, options.timeout, forks=options.concurrency == "forking"
        )
        self._recorder.hand = self._hand
        self._is_stopped = False
        self._drain = Drain(self.server, self._seam, self._recorder)
        try:
            if options.faults or options.relay:
                self._plan_faults()
            if options.accept:
                self._accepting("accept=True")
            self._run.start()
        except BaseException:
            self._is_stopped = True
            self.server.server_close()
            self._clean_up()
            raise
        self._has_started()

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else "running"
        return f"<{self.name}: {type(self.server).__name__} on {addresses.show(self.address)}, {state}>"

    # --- what happened

    def transcript(self) -> list[str]:
        """Return what was recorded, a line for each thing that happened, bounded in length."""
        return [*transcript(self._recorder, self.unrecorded_firings()), *self.state_table()]

    def describe(self) -> str:
        """Return one line with the name, class, address and number of connections of this server."""
        count = count_in_words(self._recorder.connections, is_datagram=self.is_datagram)
        return f"{self.name}, {type(self.server).__name__} on {self.shown_address}, {count}"

    @property
    def fake(self) -> Fake | None:
        """The fake that answers instead of a handler; None for a server with a handler."""
        return self._fake

    def socket_to_send_from(self) -> socket.socket:
        """Return the socket of a datagram server, for replies of others from its address: `reply(source=server)`.

        Raises UsageError for a server of streams, one that was stopped, and one whose datagrams are relayed.
        """
        if not self.is_datagram or self._is_stopped or self._faults is not None:
            why = (
                "is stopped" if self._is_stopped else "relays datagrams, for faults" if self.is_datagram else "has none"
            )
            raise UsageError(f"source={self.name!r}: expected a datagram server that runs; this one {why}")
        found: socket.socket = self.server.socket
        return found

    # --- its life

    def drain(self) -> None:
        """Handle what clients sent before they left.

        Takes the connections or datagrams that wait in the system's queue, has relays deliver what they hold, and waits
        for handlers: until they have ended, or have read all there is while their client may send more. Takes at most
        `timeout` seconds (one for async handlers, which a stop cancels), and no time if nothing is left to do; clients
        that are connected and silent cost nothing. Data that a fault or a script keeps for longer than `timeout` is not
        waited for, and a handler that did not end the first time is not waited for again. Ends no connection.
        Idempotent.

        Data of connected clients is read by then, and may be recorded a moment later: see `requests.wait()`.
        """
        if self._is_stopped or self._recorder.is_child or not self._run.is_alive:
            return
        deadline = self._deadline()
        if self._client_group is not None:
            self._client_group.drain()
        self._drain.run(self._faults, deadline)

    def end_connections(self) -> None:
        """See Subject."""
        if not self._is_stopped:
            self._run.end_requests()

    def _deadline(self) -> float:
        return monotonic() + within(self.options.timeout)

    @uninterrupted
    def stop(self) -> None:
        """Stop: end the connections, wait for their handlers, release all resources. Idempotent.

        Clients that have connected by then are accepted first, except by a server that serves one after the other. Data
        that no handler has read yet is lost: `drain()` has it handled. In a forked child it only closes the child's
        copies: the server belongs to the parent, and goes on.

        Raises StillRunning, which names the requests that have not ended in `timeout` seconds; UsageError in a
        handler.
        """
        if self._is_stopped:
            return
        self._check_waits_for_another("stop()")
        try:
            if self._takes_clients():
                self._drain.take_queue(self._faults, self._deadline())
        finally:  # also if a signal's handler raises
            self._stop()

    def _stop(self) -> None:
        self._is_stopped = True
        if self._is_inherited:
            inherited_fds.drop_copies_of(self.server)
            return
        if self._faults is not None:
            self._faults.before_stop()
        self._recorder.stop()  # handlers are not to blame for the ends of its own clients
        self._close_clients()
        try:
            seconds = self._drain.seconds_left_of(self.options.timeout)
            self._run.end(for_good=self._is_stopped, seconds=seconds)
        finally:
            self._clean_up()

    def _takes_clients(self) -> bool:
        """Return whether its loop accepts clients while handlers run; a sync server serves one after the other."""
        return not self._is_inherited and self.options.concurrency != "sync" and self._run.is_alive

    def _check_waits_for_another(self, what: str) -> None:
        """Raise UsageError in one of the server's own handlers, which would wait for itself."""
        if current_handlers.is_handled_here(self.server):
            has_word = hasattr(self.server, "request_stop")
            here = "self.server.request_stop() there, which does not wait, or " if has_word else ""
            raise UsageError(
                f"{what}: called in a handler of the {self.name}, which would wait for itself; "
                f"expected {here}{what} in the test"
            )

    def finish(self) -> None:
        """Drain, stop, and if the server is strict, raise its errors. In a forked child, the same as `stop()`.

        Raises an ExceptionGroup of all errors of handlers that were not taken; without any, one of the unmet
        expectations of a fake.
        """
        __tracebackhide__ = True  # pytest leaves such frames out
        self._check_waits_for_another("finish()")
        if self._is_inherited:
            self.stop()
            return
        try:
            self._settle()
        except BaseException:  # of a signal's handler
            self.stop()
            raise
        try:
            self.stop()
        except StillRunning as error:
            failures = first_of_each(self._failures())
            if not failures:
                self._with_unmet(error)
                raise
            failures.append(error)
        else:
            failures = first_of_each(self._failures())
        verdict = self._verdict(failures)
        if verdict is not None:
            raise verdict

    def _settle(self) -> None:
        """Drain; for a fake whose expectations count, close its own clients first, since their ends may meet some."""
        fake = self._fake if self._is_to_be_used and not self._is_stopped else None
        if fake is not None:
            self._close_clients()
        self.drain()
        if fake is not None:
            fake.expectations.settle(self.server, self.options.timeout)

    def outage(self) -> Block[None]:
        """Be down for the length of a `with`: connections end, clients are refused; then up again, same address."""
        return Block("outage()", self._outage())

    @contextmanager
    def _outage(self) -> Iterator[None]:
        if self._is_stopped:
            raise UsageError(f"outage(): the {self.name} is stopped already")
        self._check_waits_for_another("outage()")
        if self._is_inherited:
            raise UsageError(f"outage(): the {self.name} is this child's parent's; expected it in the parent")
        outage = outage_of(self.server, self._run, self._faults, lambda: self._is_stopped)
        with self._recorder.changes.during("outage()"), outage:
            yield

    def outage_for(self, seconds: float) -> Block[None]:
        """Be down as in `outage()`, but come up again after `seconds`, in the middle of the `with` if it lasts longer.

        Raises UsageError, and StillRunning if the server is not up again `timeout` seconds after the `with`.
        """
        return Block(f"outage_for({seconds!r})", timed_outage(self._outage(), seconds, self.options.timeout))

    def _clean_up(self) -> None:
        if self._faults is not None:
            self._faults.close()
        self._recorder.close_all()
        self._recorder.close()
        self._seam.uninstall()
        if self._run.acceptances is not None:
            self._run.acceptances.close()
        if self._fake is not None:
            self._fake.close()
        self._remove_private_path()

    def _remove_private_path(self) -> None:
        if self._private is not None:
            self._private.remove()
