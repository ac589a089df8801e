"""A proxy in front of any address: carries what passes, recorded, under faults."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from windsock.errors import UsageError
from windsock.faults import FaultSet
from windsock.net import addresses
from windsock.net.addresses import PrivateSocketPath
from windsock.net.deadlines import latest
from windsock.net.interrupts import stop_forgotten, uninterrupted, uninterrupted_start
from windsock.net.permission import check_allowed
from windsock.net.system import monotonic, os
from windsock.net.targets import target_of
from windsock.proxies.datagram_front import DatagramFront
from windsock.proxies.listener import SwitchableListener, bound_socket
from windsock.proxies.stream_front import StreamFront
from windsock.proxies.tls import Termination
from windsock.recording import Connections, HandlerErrors, Recorder, Requests, framing_from, transcript
from windsock.recording.errors import counted, first_of_each
from windsock.relay.firings import Firings
from windsock.relay.loop import RelayLoop
from windsock.scripts.checks import check_seconds
from windsock.servers.forking import inherited_fds

if TYPE_CHECKING:
    import ssl

    from windsock.faults import Fault, FaultHandle, Firing

__all__ = ["Proxy"]


class Proxy:
    """A proxy from its constructor to `stop()`; also a context manager, which stops it.

    `address` is where it leads: `(host, port)` for TCP, with `transport="udp"` for UDP; a path (or abstract name) for
    a Unix socket, of the kind that is bound there. It listens on an ephemeral loopback port, or on a private path of
    its own; `listen` is another place, which other machines can reach only with `allow_external=True`. `proxy.address`
    is where clients go.

    `framing` says where messages end, for `requests` (see `framing_from`). With `recorded=False` nothing is recorded.
    `seed` is what faults draw from. `timeout`: seconds that connecting onwards, and stopping, may take. TLS passes
    through as it is, unless `tls` (a server's SSLContext) has the proxy end the client's TLS; with `upstream_tls` (a
    client's SSLContext; `server_name` is whom it expects) it speaks TLS onwards.

    A client's connection is accepted by the system before any proxy hears of it, so a client never sees a refused
    connect: it is reset if there is no connection onwards (on a Unix socket it sees the end of the stream, unless it
    has sent something: then a reset, too). Raises UsageError for what cannot work, such as a proxy to itself.
    """

    _is_stopped = True
    """Whether it does not run: not any more, or not yet."""

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
        seed: int = 0,
        timeout: float = 5.0,
        tls: ssl.SSLContext | None = None,
        upstream_tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        name: str = "proxy",
        strict: bool = True,
    ) -> None:
        check_seconds(f"timeout={timeout!r}", timeout)
        self.upstream = target_of(address, transport).resolved()
        check_allowed(name, self.upstream.family)
        if isinstance(listen, tuple | list) and listen and not allow_external:
            addresses.check_loopback(f"listen={listen!r}", str(listen[0]))
        self.name = name
        self.strict = strict
        self.timeout = timeout
        self.fault_set = FaultSet(seed=seed, traffic="datagram" if self.upstream.is_datagram else "stream")
        termination = Termination.of(self.upstream, tls, upstream_tls, server_name)
        framing = framing_from(framing)
        self._recorder = Recorder()
        self._is_recorded = recorded
        self._firings = Firings(self.fault_set)
        self._has_failed = False
        self._process_id = os.getpid()
        self._outage: FaultHandle | None = None
        self._private: PrivateSocketPath | None = None
        self.requests = Requests(
            self._recorder, framing, is_datagram=self.upstream.is_datagram, timeout=lambda: timeout
        )
        try:
            self._open(listen, termination)
        except BaseException:
            self._recorder.close()
            self._remove_private_path()
            raise

    def _open(self, listen: Any, termination: Termination | None) -> None:
        if self.upstream.is_unix and listen is None:
            self._private = PrivateSocketPath()
        where = self._private.path if self._private is not None else listen
        bound: Any = (bound_socket if self.upstream.is_datagram else SwitchableListener)(self.upstream, where)
        try:
            self.address: Any = _plain(bound.name if isinstance(bound, SwitchableListener) else bound.getsockname())
            if isinstance(bound, SwitchableListener):
                inherited_fds.note_address(self, addresses.plain(bound.name))
            tell = partial(self._recorder.teller(), None)
            relay_loop = RelayLoop(f"windsock {self.name} {addresses.show(self.address)}", tell)
        except BaseException:
            bound.close()
            raise
        self._relay_loop = relay_loop
        self._front = self._front_of(bound, termination)
        relay_loop.event_loop.call(self._front.start)
        try:
            relay_loop.start()
        except BaseException:
            bound.close()
            raise
        self.fault_set.subscribe(relay_loop.refresh)
        self._is_stopped = False

    def _front_of(self, bound: Any, termination: Termination | None) -> StreamFront | DatagramFront:
        recorder = self._recorder if self._is_recorded else None
        tell = self._recorder.teller()
        if self.upstream.is_datagram:
            return DatagramFront(
                self._relay_loop, bound, self.upstream, self.fault_set, recorder, self._firings, on_error=tell
            )
        return StreamFront(
            self._relay_loop,
            bound,
            self.upstream,
            self.fault_set,
            recorder,
            self._firings,
            termination=termination,
            seconds=self.timeout,
            on_error=tell,
        )

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else "running"
        return f"<{self.name} on {addresses.show(self.address)} to {addresses.show(self.upstream.address)}, {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.finish()
            return
        self.stop()
        for failure, count in counted(self._errors()):
            times = f" ({count} times)" if count > 1 else ""
            error.add_note(f"windsock: the {self.name} had an error too{times}: {failure!r}")

    # --- where it is

    @property
    def host(self) -> str:
        """The host that clients connect to. Raises UsageError for Unix sockets."""
        return str(self._ip_address("host")[0])

    @property
    def port(self) -> int:
        """The port that clients connect to. Raises UsageError for Unix sockets."""
        return int(self._ip_address("port")[1])

    @property
    def path(self) -> str:
        """The path of its Unix socket. Raises UsageError for others."""
        if not self.upstream.is_unix:
            raise UsageError(f"path: the {self.name} has none; its address is {addresses.show(self.address)}")
        return str(self.address)

    # --- what happened

    @property
    def connections(self) -> Connections:
        """The connections so far, a list; for datagrams, one for each datagram of a client. `wait()` waits for ends."""
        return Connections(self._recorder, lambda: self.timeout)

    @property
    def errors(self) -> HandlerErrors:
        """Errors of the proxy itself, such as a lack of descriptors, and of faults that are functions."""
        return self._recorder.errors

    def transcript(self) -> list[str]:
        """Return what was recorded, with what faults did, a line an event, bounded in length."""
        self.fault_set.settle()
        return transcript(self._recorder)

    def describe(self) -> str:
        """Return in one line what this is and where."""
        count = len(self._recorder.connections)
        noun = "datagram" if self.upstream.is_datagram else "connection"
        return f"{self!r}, {count} {noun}{'' if count == 1 else 's'}"

    @property
    def firings(self) -> list[Firing]:
        """What faults did, in order of time."""
        return self.fault_set.log

    # --- weather

    def fault(
        self,
        fault: Fault | Callable[..., Any],
        *,
        allow_unfired: bool = False,
        name: str | None = None,
        **selector: Any,
    ) -> FaultHandle:
        """Install a fault, or a function that is one; a context manager, whose end heals it. See Selector."""
        return self.fault_set.install(fault, allow_unfired=allow_unfired, name=name, **selector)

    def disconnect(self) -> None:
        """Let nothing pass, neither ends nor resets, and leave new connections without an answer. Idempotent."""
        from windsock.faults.kinds.blackhole import Blackhole

        if self._outage is None and not self._is_stopped:
            self._relay_loop.event_loop.ask(self._front.shut, self.timeout)
            self._outage = self.fault_set.install(Blackhole(), allow_unfired=True, name=f"outage of the {self.name}")

    def reconnect(self) -> None:
        """Undo `disconnect()`: what was on its way on a stream goes on, and new connections are answered.
        Idempotent."""
        outage, self._outage = self._outage, None
        if outage is not None:
            self.fault_set.remove(outage)
            if not self._is_stopped:
                self._relay_loop.event_loop.call(self._front.open)

    # --- its life

    def __del__(self) -> None:
        if not self._is_stopped and self._process_id == os.getpid() and not sys.is_finalizing():
            stop_forgotten(self)

    def drain(self) -> None:
        """Deliver what clients have sent so far, also those that have left since: bytes, ends and datagrams.

        Takes at most `timeout` seconds, and no time if there is nothing to deliver. What a fault keeps for longer, or
        until it is healed, stays where it is. Connections stay open. Idempotent.
        """
        if not self._is_stopped:
            self._relay_loop.drain(min(self.timeout, latest() - monotonic()))

    @uninterrupted
    def stop(self) -> None:
        """Stop: end all connections, and give everything back. Idempotent; in a forked child it does nothing.

        What has not been delivered is lost: `drain()` delivers it.

        Raises StillRunning if its thread has not ended in `timeout` seconds.
        """
        if self._is_stopped:
            return
        self._is_stopped = True
        if self._process_id != os.getpid():
            return  # a forked child gave its copies back when it began; all else is the parent's
        self._recorder.stop()
        self.fault_set.unsubscribe(self._relay_loop.refresh)
        try:
            self._relay_loop.stop(self.timeout)
        finally:
            self._recorder.close_all()
            self._recorder.close()
            self._remove_private_path()

    def finish(self) -> None:
        """Drain, stop, and if it is strict, raise what went wrong in it: an ExceptionGroup of all errors not taken."""
        __tracebackhide__ = True  # pytest leaves such frames out
        try:
            self.drain()
        finally:  # also if a signal's handler raises
            self.stop()
        failure = self.failure()
        if failure is not None:
            raise failure

    def failure(self) -> BaseExceptionGroup[BaseException] | None:
        """Return what `finish()` would raise for what has gone wrong so far; None if there is nothing."""
        found = first_of_each(self._errors())
        return BaseExceptionGroup(f"{self.name} on {addresses.show(self.address)}: errors", found) if found else None

    def _errors(self) -> list[BaseException]:
        return self.errors.failures() if self.strict else []

    def excuse(self, failure: BaseExceptionGroup[BaseException]) -> None:
        """Have `finish()` not raise again what has been raised already, nor what has not happened because of it."""
        self.errors.excuse(failure.exceptions)
        self._has_failed = True

    def _remove_private_path(self) -> None:
        if self._private is not None:
            with contextlib.suppress(FileNotFoundError):
                self._private.remove()

    def _ip_address(self, what: str) -> tuple[Any, ...]:
        if self.upstream.is_unix:
            raise UsageError(f"{what}: the {self.name} has none; its path is {addresses.show(self.address)}")
        return tuple(self.address)


def _plain(name: Any) -> Any:
    """Return (host, port), also for IPv6, or the path."""
    return name[:2] if isinstance(name, tuple) else addresses.plain(name)
