"""A proxy in front of any address: carries what passes, recorded, under faults."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, overload

from windsock.errors import UsageError
from windsock.faults import FaultSet
from windsock.faults.never_fired import FaultNeverFired
from windsock.faults.options import FaultGroup, install, install_all, plans_from, seed_from
from windsock.faults.reports import FaultReports
from windsock.net import addresses
from windsock.net.addresses import PrivateSocketPath
from windsock.net.async_loops import call_in_thread
from windsock.net.deadlines import to_stop, within
from windsock.net.interrupts import uninterrupted, uninterrupted_start
from windsock.net.permission import check_allowed
from windsock.net.targets import Target, target_of
from windsock.proxies.datagram_front import DatagramFront
from windsock.proxies.listener import SwitchableListener, bound_socket
from windsock.proxies.onward import OnwardConnections
from windsock.proxies.stream_front import StreamFront
from windsock.proxies.tls import Termination
from windsock.recording import default_framing, framing_from, transcript
from windsock.recording.connections import count_in_words, traffic_in_words
from windsock.recording.subject import Subject, distinct_name, plain_address
from windsock.relay.firings import Firings
from windsock.relay.loop import RelayLoop
from windsock.scripts.checks import check_seconds
from windsock.servers.forking import inherited_fds

if TYPE_CHECKING:
    import ssl

    from windsock.faults import Fault, FaultHandle
    from windsock.faults.profiles import Profile

__all__ = ["FaultProxy", "proxy"]


class FaultProxy(FaultReports, Subject):
    """A proxy from its constructor to `stop()`; also a context manager, which finishes it.

    `address` is the server's: `(host, port)` for TCP, with `transport="udp"` for UDP; a path (or abstract name) for
    a Unix socket, of the kind that is bound there. It listens on an ephemeral loopback port, or on a private path of
    its own, or on `listen`, which other machines can reach only with `allow_external=True`. Clients connect to
    `proxy.address`.

    `framing` says where messages end, for `requests` (see `framing_from`). With `recorded=False` nothing is recorded.
    `faults` act from the first client on: faults, pairs of a fault and a dict of selector keywords, and profiles;
    `seed` is the seed of their random numbers, and if the proxy is strict, each of them has to fire. `timeout`: seconds
    that connecting onwards, and stopping, may take. TLS passes through as it is, unless `tls` (a server's SSLContext)
    has the proxy end the client's TLS; with `upstream_tls` (a client's SSLContext; `server_name` is the name that it
    expects) it speaks TLS onwards. `redact` says what is secret in all that is shown (see `serving`).

    A client's connection is accepted by the system before any proxy hears of it, so a client never sees a refused
    connect: it is reset if there is no connection onwards (on a Unix socket it sees the end of the stream, unless it
    has sent something: then a reset, too). Raises UsageError for values that cannot work, such as the proxy's own
    address.
    """

    what_is_unmet = "faults that never fired"

    @uninterrupted_start
    def __init__(
        self,
        address: Any,
        *,
        transport: str | None = None,
        listen: Any = None,
        allow_external: bool = False,
        framing: object = None,
        recorded: bool = True,
        faults: Iterable[Any] = (),
        seed: int | None = None,
        timeout: float = 5.0,
        tls: ssl.SSLContext | None = None,
        upstream_tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        name: str | None = None,
        strict: bool = True,
        redact: Any = None,
    ) -> None:
        check_seconds(f"timeout={timeout!r}", timeout)
        self.upstream: Target = target_of(address, transport).resolved(beside=listen)
        name = name or distinct_name("proxy")
        check_allowed(name, self.upstream.family)
        if isinstance(listen, tuple | list) and listen and not allow_external:
            addresses.check_loopback(f"listen={listen!r}", str(listen[0]))
        plans = plans_from(faults)
        super().__init__(
            name,
            strict=strict,
            timeout=timeout,
            framing=framing_from(framing) or default_framing(transport),
            is_unix=self.upstream.is_unix,
            is_datagram=self.upstream.is_datagram,
            redact=redact,
        )
        self._recorder.keeps_records = self.upstream.keeps_records
        self.fault_set: FaultSet = FaultSet(seed=seed_from(seed) or 0, traffic=self.upstream.unit)
        termination = Termination.of(self.upstream, tls, upstream_tls, server_name)
        self._is_recorded = recorded
        self._firings = Firings(self.fault_set)
        self._outage: FaultHandle | None = None
        self._private: PrivateSocketPath | None = None
        try:
            self._open(listen, termination)
        except BaseException:
            self._discard()
            self._remove_private_path()
            raise
        try:
            install_all(self.fault_set, plans, _check)
        except BaseException:
            self.stop()
            raise
        self._has_started()

    def _open(self, listen: Any, termination: Termination | None) -> None:
        if self.upstream.is_unix and listen is None:
            self._private = PrivateSocketPath()
        where = self._private.path if self._private is not None else listen
        bound: Any = (bound_socket if self.upstream.is_datagram else SwitchableListener)(self.upstream, where)
        try:
            self.address = plain_address(bound.name if isinstance(bound, SwitchableListener) else bound.getsockname())
            if isinstance(bound, SwitchableListener):
                inherited_fds.note_address(self, addresses.plain(bound.name))
            tell = partial(self._recorder.teller(), None)
            self._relay_loop = RelayLoop(f"windsock {self.name} {addresses.show(self.address)}", tell)
            self._front = self._front_of(bound, termination)
            self._relay_loop.event_loop.call(self._front.start)
            self._relay_loop.start()
        except BaseException:
            bound.close()
            raise
        self.fault_set.subscribe(self._front.apply_faults)
        self._is_stopped = False

    def _front_of(self, bound: Any, termination: Termination | None) -> StreamFront | DatagramFront:
        recorder = self._recorder if self._is_recorded else None
        loop, faults, tell = self._relay_loop, self.fault_set, self._recorder.teller()
        if self.upstream.is_datagram:
            return DatagramFront(loop, bound, self.upstream, faults, recorder, self._firings, on_error=tell)
        onward = OnwardConnections(
            loop, self.upstream, faults, self._firings, termination=termination, seconds=self.timeout, on_error=tell
        )
        return StreamFront(loop, bound, onward, faults, recorder, on_error=tell)

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else "running"
        way = f"on {self.shown_address} to {addresses.show(self.upstream.address)}"
        return f"<{self.name} {way}, {state}, seed {self.fault_set.seed}>"

    def transcript(self) -> list[str]:
        """Return what was recorded, a line for each thing that happened, bounded in length."""
        return transcript(self._recorder, self.unrecorded_firings())

    def describe(self) -> str:
        """Return in one line what this is and where."""
        return f"{self!r}, {count_in_words(self._recorder.connections, is_datagram=self.is_datagram)}"

    @property
    def _reported_faults(self) -> FaultSet:
        return self.fault_set

    def _unmet(self) -> list[FaultNeverFired]:
        return self.unfired() if self.strict else []

    def unfired(self) -> list[FaultNeverFired]:
        """Return an error for each fault that has never fired, unless it has `allow_unfired=True`."""
        return [FaultNeverFired.of(each, self._traffic()) for each in self.fault_set.unfired]

    def _traffic(self) -> str:
        if not self._is_recorded:
            return f"what passed the {self.name} was not recorded"
        return traffic_in_words(self.name, self.connections, is_datagram=self.is_datagram)

    # --- its faults

    @overload
    def fault(self, fault: Fault | Callable[..., Any], **keywords: Any) -> FaultHandle: ...
    @overload
    def fault(self, fault: Profile, *, allow_unfired: bool = True) -> FaultGroup: ...
    def fault(self, fault: Fault | Callable[..., Any] | Profile, **keywords: Any) -> FaultHandle | FaultGroup:
        """Install a fault, from now on, also on connections that are open: see `RunningServer.fault`."""
        if self._is_stopped:
            raise UsageError(f"fault({fault!r}): the {self.name} is stopped already")
        return install(self.fault_set, fault, _check, keywords)

    def disconnect(self) -> None:
        """Let nothing pass, neither ends nor resets, and leave new connections without an answer. Idempotent."""
        from windsock.faults.kinds.blackhole import Blackhole

        if self._outage is None and not self._is_stopped:
            self._relay_loop.event_loop.ask(self._front.shut, to_stop(self.timeout))
            self._recorder.changes.note("disconnect()", is_down=True)
            self._outage = self.fault_set.install(Blackhole(), allow_unfired=True, name=f"outage of the {self.name}")

    def reconnect(self) -> None:
        """Undo `disconnect()`: data in transit on streams goes on, and new connections are answered. Idempotent."""
        outage, self._outage = self._outage, None
        if outage is not None:
            self.fault_set.remove(outage)
            self._recorder.changes.note("reconnect()", is_down=False)
            if not self._is_stopped:
                self._relay_loop.event_loop.call(self._front.open)

    # --- its life

    def drain(self) -> None:
        """Deliver the bytes, ends and datagrams sent so far, also of clients that have left since.

        Takes at most `timeout` seconds, and no time if there is nothing to deliver. Data that a fault keeps for longer,
        or until it is healed, stays where it is. Connections stay open. Idempotent.
        """
        if not self._is_stopped:
            self._relay_loop.drain(self.timeout)

    def end_connections(self) -> None:
        """See Subject."""
        if not self._is_stopped:
            self._relay_loop.event_loop.call(self._relay_loop.end_streams)

    @uninterrupted
    def stop(self) -> None:
        """Stop: end all connections, and release all resources. Idempotent; in a forked child it does nothing.

        Data that has not been delivered is lost: `drain()` delivers it.

        Raises StillRunning if its thread has not ended in `timeout` seconds.
        """
        if self._is_stopped:
            return
        self._is_stopped = True
        if self._is_inherited:
            return  # a forked child gave its copies back when it began; all else is the parent's
        self._recorder.stop()
        self.fault_set.unsubscribe(self._front.apply_faults)
        try:
            self._relay_loop.stop(self.timeout)
        finally:
            self._recorder.close_all()
            self._recorder.close()
            self._remove_private_path()

    def finish(self) -> None:
        """Drain, stop, and if it is strict, raise its errors, or else an ExceptionGroup of faults that never fired."""
        __tracebackhide__ = True  # pytest leaves such frames out
        try:
            self.drain()
        finally:  # also if a signal's handler raises
            self.stop()
        failure = self.failure()
        if failure is not None:
            raise failure

    def settle(self, seconds: float) -> None:
        """Wait until what clients have sent has arrived, and their connections have ended, for at most `seconds`."""
        check_seconds(f"settle({seconds!r})", seconds, or_none=True)
        if self._is_stopped:
            return
        self._relay_loop.drain(seconds)
        if not self.is_datagram:
            are_closed = lambda: all(each.is_closed for each in self._recorder.connections)  # noqa: E731
            self._recorder.waiters.wait_until(are_closed, within(seconds))

    async def settle_async(self, seconds: float) -> None:
        """Wait as `settle()` does, while the event loop of asyncio or trio goes on."""
        __tracebackhide__ = True
        await call_in_thread("settle_async()", partial(self.settle, seconds))

    def _remove_private_path(self) -> None:
        if self._private is not None:
            with contextlib.suppress(FileNotFoundError):
                self._private.remove()


def proxy(address: Any, *, faults: Iterable[Any] = (), seed: int | None = None, **options: Any) -> FaultProxy:
    """Start a proxy in front of an address, for the length of a `with`: clients go to `proxy.address`.

    `faults` act from the first client on: faults, pairs of a fault and a dict of selector keywords, and profiles.
    `seed` is the seed of their random numbers; 0 by default, the test's own in the fixture `fault_proxy`. The other
    keywords are those of `windsock.FaultProxy`: `transport`, `listen`, `allow_external`, `framing`, `recorded`,
    `timeout`, `tls`, `upstream_tls`, `server_name`, `name`, `strict`, `redact`. Raises UsageError for values that
    cannot work, such as the address of the proxy itself.
    """
    return FaultProxy(address, faults=faults, seed=seed, **options)


def _check(fault: Fault) -> None:
    """Raise UsageError for a fault of a process: a proxy has all others."""
    if "process" in fault.applies_to:
        raise UsageError(
            f"{fault!r}: a proxy handles nothing; expected a server of windsock's, server.fault({fault!r})"
        )
