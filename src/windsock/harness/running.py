"""One server in a test: running, recorded, and stopped without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack, overload

from windsock.errors import PeerError, StillRunning, UsageError, WaitTimeout
from windsock.harness.accept_api import AcceptAPI
from windsock.harness.checkpoints import CheckpointAPI
from windsock.harness.draining import Drain
from windsock.harness.fake_api import FakeAPI
from windsock.harness.hand import ServerHand
from windsock.harness.lifecycle import Lifecycle, lifecycle_of
from windsock.harness.thread_pool import Joinable, ThreadPool, start_thread
from windsock.net import addresses, deadlines
from windsock.net.addresses import PrivateSocketPath
from windsock.net.deadlines import is_over, to_stop, within
from windsock.net.interrupts import uninterrupted, uninterrupted_start
from windsock.net.system import monotonic, os, socket
from windsock.options import listeners
from windsock.options.server_options import Resolved
from windsock.recording import Connection, transcript
from windsock.recording.errors import first_of_each
from windsock.scripts.checks import check_keywords
from windsock.servers.forking import inherited_fds
from windsock.taps import current_handlers, seam_for

if TYPE_CHECKING:
    import ssl

    import trustme

    from windsock.clients.async_client import AsyncioClient, TrioClient
    from windsock.clients.client import ScriptedClient
    from windsock.clients.connect_options import ConnectKeywords
    from windsock.clients.connector import Connector
    from windsock.clients.rpc_client import RPCClient
    from windsock.clients.summary import CrowdSummary
    from windsock.fakes.fake import Fake
    from windsock.faults import Fault, FaultHandle, Firing
    from windsock.faults.options import FaultGroup
    from windsock.faults.profiles import Profile
    from windsock.injection.server_faults import ServerFaults
    from windsock.protocols.rpc_messages import Auth
    from windsock.proxies.proxy import FaultProxy
    from windsock.scripts import Script
    from windsock.security.pem_files import ClientFiles

__all__ = ["RunningServer"]


class RunningServer(FakeAPI, AcceptAPI, CheckpointAPI):
    """A server that runs in a thread of its own, from the constructor to `stop()`.

    `server` is the instance of the server class; `requests`, `connections` and `errors` are its recording. Without a
    handler it is a fake: `on()`, `reply()`, `echo()` and `play()` define its answers.
    """

    _client_failures: tuple[BaseException, ...] = ()
    """Failures of background scripts that were not raised yet."""

    what_fails = "errors in handlers"
    _faults: ServerFaults | None = None
    """Its faults; None until the first one."""

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
        self._start_loop: Callable[[Callable[[], None], str], Joinable] = start_thread
        if thread_pool is not None and not options.runs_test_code_in_loop:
            self._start_loop = thread_pool.start
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
            self._recorder.close()  # or the next fork makes it ready for children
            self._remove_private_path()
            raise
        if self._recorder.protocol is not None:
            self._recorder.protocol = self._recorder.protocol.of_server(self.server)
        self.address = listeners.address_of(self.server, options)
        self._loop_thread: Joinable
        self.server.daemon_threads = True  # what will not end must not keep the interpreter from its end
        self._lifecycle = lifecycle_of(self.server)
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
            self._start()
        except BaseException:
            self._is_stopped = True
            self.server.server_close()
            self._clean_up()
            raise

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else "running"
        return f"<{self.name}: {type(self.server).__name__} on {addresses.show(self.address)}, {state}>"

    # --- certificates

    @property
    def ca(self) -> trustme.CA:
        """The certificate authority of this test run, which signs all certificates that windsock makes."""
        from windsock.security import certificates

        return certificates.authority()

    @property
    def ca_file(self) -> str:
        """The path of the certificate of `ca` as a PEM file, which is removed when the test run ends."""
        from windsock.security import pem_files

        return pem_files.ca_file()

    def client_files(self) -> ClientFiles:
        """Return the paths of a certificate and its key for clients, as PEM files: for servers with tls="mutual".

        They are removed when the test run ends. Raises UsageError for a server without TLS.
        """
        from windsock.security import pem_files

        if self.options.encryption is None:
            raise UsageError(f'client_files(): the {self.name} does not speak TLS; pass tls="mutual"')
        return pem_files.client_files(self.options.encryption.key_type)

    def client_context(self, *, certificate: bool = True, alpn: Sequence[str] = ()) -> ssl.SSLContext:
        """Return a new context for clients of this server: it trusts `ca`, and checks names.

        For a server with tls="mutual" it has a client certificate, unless `certificate=False`. Raises UsageError
        for a server without TLS.
        """
        if self.options.encryption is None:
            raise UsageError(f"client_context(): the {self.name} does not speak TLS; pass tls=True")
        return self.options.encryption.client_context(certificate=certificate, alpn=alpn)

    # --- what happened

    @property
    def firings(self) -> list[Firing]:
        """The firings of the faults, in order of time; of each fault at most the latest 10,000 firings."""
        return [] if self._faults is None else self._faults.fault_set.log

    @property
    def fault_handles(self) -> tuple[FaultHandle, ...]:
        """The handles of all its faults, healed ones too."""
        return () if self._faults is None else self._faults.fault_set.all_handles

    def transcript(self) -> list[str]:
        """Return what was recorded, a line for each thing that happened, bounded in length."""
        return [*transcript(self._recorder, self.unrecorded_firings()), *self.state_table()]

    def describe(self) -> str:
        """Return one line with the name, class, address and number of connections of this server."""
        return f"{self.name}, {type(self.server).__name__} on {self.shown_address}, {self._counted_connections()}"

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

    # --- its clients

    def connect(self, *, name: str = "", handshake: bool = True, **options: Unpack[ConnectKeywords]) -> ScriptedClient:
        """Return a connected client whose methods are the steps of scripts: `client.send(b"x").expect(b"y")`.

        `tls` is True if the server speaks TLS; it may be False, or an ssl.SSLContext. `certificate` is the client's,
        for tls="mutual": "missing", one that the server refuses ("expired", "unknown_authority", ...), PEM files, or a
        trustme.LeafCert. Without `server_hostname` the client expects the first name of the server's certificate. With
        `handshake=False` the client connects and sends nothing. `anonymous=True` makes a Unix datagram client
        without a name. The other keywords are those of `windsock.scripted_client()`.

        A client that is still open is closed when the server is stopped. Raises ConnectFailed.
        """
        connector = self._connector("connect", options)
        return connector.client(name=name, handshake=handshake, client_group=self._clients())

    @property
    def client_lines(self) -> list[FaultProxy]:
        """The private lines of its clients with faults of their own (`connect(faults=[...])`)."""
        return [] if self._client_group is None else self._client_group.lines

    def connect_asyncio(
        self, *, name: str = "", handshake: bool = True, **options: Unpack[ConnectKeywords]
    ) -> AsyncioClient:
        """Return a client for asyncio; `async with` connects and closes it. `options` are those of `connect()`."""
        from windsock.clients.async_client import AsyncioClient

        return AsyncioClient(name=name, handshake=handshake, _connector=self._connector("connect_asyncio", options))

    def connect_trio(self, *, name: str = "", handshake: bool = True, **options: Unpack[ConnectKeywords]) -> TrioClient:
        """Return a client for trio; `async with` connects and closes it. `options` are those of `connect()`."""
        from windsock.clients.async_client import TrioClient

        return TrioClient(name=name, handshake=handshake, _connector=self._connector("connect_trio", options))

    def connect_rpc(
        self,
        program: Any = None,
        version: int | None = None,
        *,
        credential: Auth | None = None,
        resend_every: float | None = 1.0,
        **options: Unpack[ConnectKeywords],
    ) -> RPCClient:
        """Return a connected client of Sun RPC: `client.call("add", [1, 2])`.

        It calls the program of the server's handler; or that of another handler class, or one given by its number and
        `version`. `options` are those of `connect()`; for the rest, see `windsock.rpc_client()`. Raises ConnectFailed.
        """
        from windsock.clients.rpc_client import Program, RPCClient, check_calls
        from windsock.protocols.rpc_auth import AUTH_NONE

        credential = AUTH_NONE if credential is None else credential
        check_calls(credential, resend_every)
        handler = getattr(self.server, "RequestHandlerClass", None) if program is None else program
        found = Program.of(handler, version)
        return RPCClient(self.connect(**options), found, credential=credential, resend_every=resend_every)

    def crowd(
        self,
        count: int,
        script: Script | Callable[[int], Script],
        *,
        spread: float = 0.0,
        strict: bool = True,
        **options: Unpack[ConnectKeywords],
    ) -> CrowdSummary:
        """Play a script with `count` clients at once, in this thread; return one summary of their outcomes.

        `script` may be a function from the index of a client, from 0, to its script. The clients begin evenly over
        `spread` seconds. `options` are keywords of `connect()`. Connecting holds up the other clients.
        Raises CrowdFailed, an ExceptionGroup of the first failure of each kind with a `summary` of all, if a client
        did not get to the end of the script, unless `strict=False`.
        """
        from windsock.clients.crowd import crowd

        return crowd(self._connector("crowd", options), count, script, spread=spread, strict=strict)

    # --- its weather

    @property
    def seed(self) -> int:
        """The seed of its faults."""
        if self.options.seed is not None:
            return self.options.seed
        return self._seed() if self._seed is not None else 0

    @overload
    def fault(
        self,
        fault: Fault | Callable[..., Any],
        *,
        name: str | None = None,
        allow_unfired: bool | None = None,
        **selector: Any,
    ) -> FaultHandle: ...
    @overload
    def fault(self, fault: Profile, *, allow_unfired: bool | None = None) -> FaultGroup: ...
    def fault(
        self,
        fault: Fault | Callable[..., Any] | Profile,
        *,
        name: str | None = None,
        allow_unfired: bool | None = None,
        **selector: Any,
    ) -> FaultHandle | FaultGroup:
        """Install a fault, a function that acts as one, or a profile; it acts from now on.

        The other keywords select where it acts, as those of `windsock.faults.Selector`. The handle that is returned
        knows its firings (`fired`, `log`), and can `pause()`, `resume()` and `heal()` the fault; the end of a `with`,
        and the stop of the server, heal it. Data that a healed fault has held goes on; data held when the server stops
        is lost. `name` is the name of its random numbers. If it never fires, a strict test fails, unless
        `allow_unfired=True`.

        On a server made without `faults=` and `relay=True` faults of streams and datagrams act on connections that
        come from now on. Raises UsageError for a fault that cannot happen to this server.
        """
        given = {"name": name, "allow_unfired": allow_unfired}
        keywords = selector | {key: value for key, value in given.items() if value is not None}
        return self._fault_set().install(fault, keywords)

    def _fault_set(self) -> ServerFaults:
        from windsock.injection.server_faults import ServerFaults

        if self._is_stopped:
            raise UsageError(f"fault(): the {self.name} is stopped already")
        if self._faults is None:
            self._faults = ServerFaults(self.server, self.options, self._seam, self._recorder, self.seed)
            self._hand.faults = self._faults
        return self._faults

    def _plan_faults(self) -> None:
        """Install the faults of `faults=`, which act from the first connection on."""
        fault_set = self._fault_set()
        try:
            for each in self.options.faults:
                fault_set.install(each.fault, dict(each.keywords))
        except BaseException:
            fault_set.close()
            raise

    def fault_report(self) -> list[str]:
        """Return the seed and the firings, one line each, bounded in length; nothing without faults."""
        return [] if self._faults is None else self._faults.report()

    def fault_summary(self) -> list[str]:
        """Return the seed, and a line for each fault that has never fired; nothing without faults."""
        return [] if self._faults is None else self._faults.summary()

    def unrecorded_firings(self) -> list[Firing]:
        """Return what faults did to datagrams and to the listener; the rest is recorded with connections."""
        return [] if self._faults is None else self._faults.unrecorded_firings()

    def _connector(self, method: str, options: ConnectKeywords) -> Connector:
        """Return the connector to this server for the keywords of a method."""
        from windsock.clients.connect_options import ConnectKeywords, ConnectOptions
        from windsock.harness.server_connector import connector_to_server

        check_keywords(method, options, ConnectKeywords)
        if self._is_stopped:
            raise UsageError(f"connect(): the {self.name} is stopped already")
        return connector_to_server(self, ConnectOptions(**options))

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
        if self._is_stopped or self._recorder.is_child or not self._loop_thread.is_alive():
            return
        deadline = self._deadline()
        if self._client_group is not None:
            self._client_group.drain()
        self._drain.run(self._faults, deadline)

    def end_connections(self) -> None:
        """See Subject."""
        if not self._is_stopped:
            self._lifecycle.end_requests()

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
            self._end(self.options.timeout)
        finally:
            self._clean_up()

    def _takes_clients(self) -> bool:
        """Return whether its loop accepts clients while handlers run; a sync server serves one after the other."""
        return not self._is_inherited and self.options.concurrency != "sync" and self._loop_thread.is_alive()

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

    def _verdict(self, failures: list[BaseException]) -> BaseExceptionGroup[BaseException] | None:
        what = self.what_fails if failures else "scripts in the background failed"
        failures = [*failures, *self._client_failures]
        unmet = self._unmet()
        if not failures and unmet and not self._has_failed:
            what, failures = self.what_is_unmet, [*unmet]
        if not failures:
            return None
        group = self._group(what, failures)
        return group if failures == unmet else self._with_unmet(group)

    def _failures(self) -> list[BaseException]:
        found = super()._failures()
        if self._fake is not None and self._has_failed:
            # the expectations that a failed test has not met are not reported again
            found = [each for each in found if not isinstance(each, PeerError | WaitTimeout)]
        late = self._recorder.late_errors
        if late is not None and self._checkpoint is None and self.strict:
            found = [*late.failures(), *found]
        return found

    def _new_errors(self) -> list[BaseException]:
        found = super()._new_errors()
        if self._fake is not None:
            _without_our_way(found)
        return found

    def _settle(self) -> None:
        """Drain; for a fake whose expectations count, close its own clients first, since their ends may meet some."""
        fake = self._fake if self._is_to_be_used and not self._is_stopped else None
        if fake is not None:
            self._close_clients()
        self.drain()
        if fake is not None:
            fake.settle(self.server, self.options.timeout)

    def _unmet(self) -> list[Any]:
        """Return the unmet expectations and unfired faults that should fail the test."""
        found: list[Any] = []
        if self._checkpoint is not None and self._checkpoint.has_others:
            return found
        if self._fake is not None and self.strict:
            found += self._fake.unreachable()
        if self._fake is not None and self._is_to_be_used:
            found += self._fake.unmet()
            found += self._never_entered()
        if self.strict and self._faults is not None:
            found += self._faults.failures()
        if self.strict and self._client_group is not None:
            found += self._client_group.unfired
        return found

    @property
    def _is_to_be_used(self) -> bool:
        """True if unmet expectations of the fake fail the test."""
        return self.strict and not self.options.allow_unused

    def _may_be_met(self) -> bool:
        if self._fake is None or not self._is_to_be_used:
            return super()._may_be_met()
        if not self._is_stopped:
            self._fake.settle(self.server, self.options.timeout)
        return self._fake.is_waiting()

    def notes(self, *, is_over: bool = True) -> Iterator[str]:
        """See Subject; with failures of scripts in the background."""
        yield from super().notes(is_over=is_over)
        yield from (f"a script in the background failed too: {failure}" for failure in self._client_failures)

    def _close_clients(self) -> None:
        if self._client_group is not None:
            self._client_failures += tuple(self._client_group.close())

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Be down for the length of a `with`: connections end, clients are refused; then up again, same address."""
        if self._is_stopped:
            raise UsageError(f"outage(): the {self.name} is stopped already")
        self._check_waits_for_another("outage()")
        if self._is_inherited:
            raise UsageError(f"outage(): the {self.name} is this child's parent's; expected it in the parent")
        if self._faults is not None:
            self._faults.check_outage()
        copy = self._copy_of_listener() if listeners.can_serve_again(self.server) else None
        try:
            self._end(self.options.timeout)
        except BaseException:
            if copy is not None:
                copy.close()
            raise
        if self._faults is not None:
            self._faults.listener_was_closed()
        holder = listeners.take_place(self.server, copy)
        try:
            yield
        finally:
            if self._is_stopped:
                listeners.give_up_place(self.server, holder)
            else:
                if copy is not None:
                    listeners.serve_again(self.server, copy)
                else:
                    listeners.bind_again(self.server, holder)
                self._resume()

    def _resume(self) -> None:
        """Undo what `_end()` has done, but for the listener."""
        self._recorder.resume()
        for each in (self._fake, self._acceptances):
            if each is not None:
                each.resume()
        self._start()

    def _copy_of_listener(self) -> socket.socket:
        if self._faults is not None:
            return self._faults.copy_of_listener()
        return socket.socket(fileno=os.dup(self.server.fileno()))

    def _start(self) -> None:
        show = addresses.show(self.address)
        self._lifecycle.prepare_to_serve()
        # Without a reference to this object: a server that is let go of, running, has to be stopped (see __del__).
        serve = partial(_serve, self.server, self._lifecycle, self._recorder.teller())
        self._loop_thread = self._start_loop(serve, f"windsock {self.name} {show}")

    def _end(self, seconds: float) -> None:
        """End the loop and the connections; wait for handlers; close the listener. Interrupted, kill what is left."""
        try:
            self._end_in_order(seconds)
        except BaseException as error:
            if not isinstance(error, StillRunning):  # of a signal's handler
                self._lifecycle.kill_requests()
            raise

    def _end_in_order(self, seconds: float) -> None:
        left = to_stop(seconds)
        deadline = monotonic() + left
        self._recorder.stop()
        self._lifecycle.stop_timeout = left
        if self._fake is not None:
            self._fake.stop(left)
        if self._acceptances is not None:
            self._acceptances.stop()
        self._lifecycle.request_stop()
        if self.options.concurrency in ("sync", "trio"):
            self._lifecycle.end_requests()  # serve_forever() ends no sooner
        self._loop_thread.join(0.1)
        while self._loop_thread.is_alive() and monotonic() < deadline:
            self._lifecycle.request_stop()
            self._lifecycle.end_requests()  # one that was on its way into the loop
            self._loop_thread.join(0.1)
        self._lifecycle.end_requests()
        self._lifecycle.stop_timeout = max(deadlines.MOMENT, deadline - monotonic())
        listeners.refuse(self.server, for_good=self._is_stopped)
        try:
            self._lifecycle.server_close()
        except StillRunning as error:
            raise self._still_running(seconds, error.what) from None
        running = self._lifecycle.wait_for_requests(max(0.0, deadline - monotonic()))
        if self._acceptances is not None:
            running += self._acceptances.wait_for_end(deadline)
        if running:
            raise self._still_running(seconds, running)

    def _still_running(self, seconds: float, what: list[str]) -> StillRunning:
        return StillRunning(f"stop() of the {self.name}: requests in progress", seconds, what, is_cut=is_over())

    def _clean_up(self) -> None:
        if self._faults is not None:
            self._faults.close()
        self._recorder.close_all()
        self._recorder.close()
        self._seam.uninstall()
        if self._acceptances is not None:
            self._acceptances.close()
        if self._fake is not None:
            self._fake.close()
        self._remove_private_path()

    def _remove_private_path(self) -> None:
        if self._private is not None:
            self._private.remove()


def _serve(server: Any, lifecycle: Lifecycle, failed: Callable[[Connection | None, BaseException], None]) -> None:
    current_handlers.begin(server)  # for good: the thread's context is its own
    try:
        lifecycle.serve_forever()
    except BaseException as error:  # of a hook between requests: nothing else would report it
        failed(None, error)


def _without_our_way(failures: list[BaseException]) -> None:
    """Remove the tracebacks of a fake's own errors: all frames are ours, and the messages say where."""
    for each in failures:
        if isinstance(each, PeerError | WaitTimeout):
            each.__traceback__ = None
