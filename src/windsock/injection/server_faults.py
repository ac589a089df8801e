"""The weather of one server: its faults, and the hooks on the server's instance by which they act."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.faults import (
    BacklogFull,
    ConnectionInfo,
    Fault,
    FaultHandle,
    FaultSet,
    First,
    Kill,
    Pause,
    Refuse,
    Resume,
    Selector,
)
from windsock.faults import options as fault_options
from windsock.faults.never_fired import FaultNeverFired, said
from windsock.faults.options import FaultGroup
from windsock.injection.accept import AcceptFaults
from windsock.injection.checks import check_fault, why_not_there
from windsock.injection.datagrams import RelayedDatagrams
from windsock.injection.handshake import Handshakes
from windsock.injection.listener import FaultyListener
from windsock.injection.process import Processes
from windsock.injection.relays import Relays
from windsock.net.queue_fillers import ListenerState
from windsock.net.system import monotonic
from windsock.recording.connections import traffic_in_words
from windsock.recording.events import Kind
from windsock.taps.hooks import put_back
from windsock.taps.requests import connection_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from windsock.options.server_options import Resolved
    from windsock.recording import Connection, Recorder
    from windsock.taps import Seam

__all__ = ["ServerFaults"]

ON_LINKS = frozenset({"stream", "datagram"})
"""What faults carry that act on what passes."""


class ServerFaults:
    """All faults of one server.

    Made when the first fault is installed; a server that has none pays nothing. The hooks stand between the seam of
    recording and the server's own, on the instance.
    """

    _process_request: Callable[[Any, Any], None]
    """The server's hook, or what has intercepted it."""

    def __init__(self, server: Any, options: Resolved, seam: Seam, recorder: Recorder, seed: int) -> None:
        self._server = server
        self._options = options
        self._seam = seam
        self._recorder = recorder
        self.fault_set: FaultSet = FaultSet(seed=seed, traffic=options.unit)
        self._skip_past_connections()
        self._processes = Processes(server, seam, recorder)
        self.listener: FaultyListener = FaultyListener(server)
        self._handshakes: Handshakes | None = None
        if options.encryption is not None:
            self._handshakes = Handshakes(server, seam, recorder, options.encryption, options.host)
        self._admission = AcceptFaults(server, self.fault_set, recorder, self.listener)
        self._relays: Relays | None = None
        self._datagrams: RelayedDatagrams | None = None
        self._is_stopped = False
        self._hook()
        if options.relay or options.faults:
            self._have_relays(is_running=False)
        self.fault_set.subscribe(self._changed)

    def _skip_past_connections(self) -> None:
        """Have `first(n)` count from here."""
        past = self._recorder.next_index
        if past:
            chain = self.fault_set.chain(connection=past - 1, direction="upstream", now=monotonic())
            chain.close(monotonic())

    # --- installing

    def install(self, fault: Any, keywords: dict[str, Any]) -> FaultHandle | FaultGroup:
        """Install a fault, a function or a profile. Raises UsageError for what cannot work here."""
        if self._is_stopped:
            raise UsageError(f"fault({fault!r}): the {self._options.name} is stopped already")
        check = partial(check_fault, server=self._server, options=self._options)
        handle = fault_options.install(self.fault_set, fault, check, keywords)
        if self._wants_relays():
            self._have_relays()
        past = () if self._relays is None else self._relays.passed_over()
        for each in handle.handles if isinstance(handle, FaultGroup) else (handle,):
            if not ON_LINKS.isdisjoint(each.fault.applies_to):
                each.passed_over = past
            self._begin(each)
        return handle

    def _begin(self, handle: FaultHandle) -> None:
        """Do at once what need not wait for a connection.

        What counts (`nth`, `every`, `times`, `first(n)`, `probability`) counts children that are forked from now on.
        Raises UsageError for a selector that cannot work here.
        """
        why = why_not_there(handle, self._server, self._options.name)
        if why:
            handle.allow_unfired = True
            handle.heal()
            raise UsageError(f"{handle.fault!r} with {said(handle.selector)}: {why}")
        if isinstance(handle.fault, Pause | Resume | Kill) and not _counts(handle.selector):
            for connection in self._processes.live():
                info = ConnectionInfo(connection.index, connection.peer)
                if self.fault_set.fires(handle, "process", info, monotonic(), 0):
                    self._processes.signal_now(handle.fault, connection)
                    self._note(connection, handle.fault)

    def _wants_relays(self) -> bool:
        """Return whether a new connection must be relayed."""
        options = self._options
        return bool(options.relay or options.faults) or any(
            not ON_LINKS.isdisjoint(each.fault.applies_to) for each in self.fault_set.handles
        )

    def _have_relays(self, *, is_running: bool = True) -> None:
        server, fault_set, recorder, options = self._server, self.fault_set, self._recorder, self._options
        if not options.is_datagram:
            self._relays = self._relays or Relays(server, fault_set, recorder, options.name)
        elif self._datagrams is None:
            self._datagrams = RelayedDatagrams(server, fault_set, recorder, self.listener, options.name)
            if is_running:
                self._datagrams.begin_soon()
            else:
                self._datagrams.begin_now()

    def _changed(self) -> None:
        """Apply a change of the fault set to the listener."""
        active = [each for each in self.fault_set.handles if each.is_active]
        shut = [each for each in active if isinstance(each.fault, Refuse) and not said(each.selector)]
        full = [each for each in active if isinstance(each.fault, BacklogFull)]
        wanted = ListenerState.SHUT if shut else ListenerState.FULL if full else ListenerState.OPEN
        if not self._is_stopped and wanted != self.listener.state:
            self.listener.set_state(wanted)
            for each in shut or full:
                each.fire(monotonic(), "the listener is {}", wanted)
        if not any(isinstance(each.fault, Pause) for each in active):
            self._processes.resume_all()

    # --- hooks

    def intercept_process(self, stand_in: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        """Call the stand-in instead of the server's `process_request`, under these faults; return what it replaces."""
        before = self._process_request
        self._process_request = stand_in
        return before

    def _hook(self) -> None:
        seam, server = self._seam, self._server
        self._process_request = server.process_request
        if self._options.is_datagram:
            self._get_request: Callable[[], Any] = seam.intercept("get_request", self._next_datagram)
        else:
            self._get_request = seam.intercept("get_request", self._next_request)
            seam.intercept_accepted(self._admit)
        server.process_request = self._process

    def _unhook(self) -> None:
        self._seam.intercept("get_request", self._get_request)
        self._seam.intercept_accepted(None)
        put_back(self._server, "process_request", self._process_request)

    def _next_request(self) -> Any:
        self._admission.before()
        try:
            return self._get_request()
        except OSError:
            self.listener.pass_through()  # it may be shut since a moment ago
            raise

    def _next_datagram(self) -> Any:
        request, client_address = self._get_request()
        if self._datagrams is None:
            return request, client_address
        return self._datagrams.next_request(request, client_address)

    def _admit(self, request: Any, connection: Any) -> Any:
        is_relayed = self._relays is not None and self._wants_relays()
        self._admission.after(request, connection, is_relayed=is_relayed)
        if self._relays is not None and is_relayed:
            request = self._relays.relay(request, connection)
        return self._seam.tapped(request, connection)

    def _process(self, request: Any, client_address: Any) -> None:
        connection = connection_of(request)
        if connection is None or self._recorder.is_child:
            self._process_request(request, client_address)
            return
        faults = self.fault_set.at_process(connection=connection.index, now=monotonic(), peer=connection.peer)
        shaking = self._at_handshake(connection) if self._handshakes is not None else []
        for each in [*faults, *shaking]:
            self._note(connection, each)
        self._processes.decide(connection, faults)
        with self._processes.around(connection, faults):
            self._process_request(request, client_address)

    def _note(self, connection: Connection, fault: Fault) -> None:
        if fault.happens_later:
            return
        if self._relays is None or connection.index not in self._relays.indices:
            connection.note(Kind.FAULT, f"{fault!r}: happens".encode())

    def _at_handshake(self, connection: Connection) -> list[Fault]:
        """Decide in the loop's thread: a forked child could not report a firing."""
        assert self._handshakes is not None
        found = self.fault_set.at_handshake(connection=connection.index, now=monotonic(), peer=connection.peer)
        self._handshakes.decide(connection, found)
        return found

    def replies_over(self, server_socket: Any) -> Any:
        """Return the socket through which datagrams go to clients, over the server's own."""
        return server_socket if self._datagrams is None else self._datagrams.replies_over(server_socket)

    # --- parts

    def number_clients_anew(self) -> None:
        """Number the clients of relayed datagrams from 0 again. Waits for the relay: hold no lock of the recording."""
        if self._datagrams is not None:
            self._datagrams.begin_part(self._options.timeout)

    def begin_part(self, seed: int, carried: Collection[int]) -> None:
        """Begin with the faults there are, anew. `carried` are the indices of the connections that are open."""
        self.fault_set.begin_part(seed, self._recorder.next_index)
        self._admission.begin_again()
        self._processes.keep(carried)
        if self._handshakes is not None:
            self._handshakes.keep(carried)
        if self._relays is not None:
            self._relays.indices.intersection_update(carried)

    # --- the end

    def drain(self, seconds: float) -> None:
        """Wait until what clients have sent has passed the relays, as far as it does within `seconds`."""
        for each in (self._relays, self._datagrams):
            if each is not None:
                each.drain(seconds)

    def keeps_clients_waiting(self, until: float) -> bool:
        """Return whether faults leave the next client in the queue until then, in monotonic seconds."""
        return self._admission.keeps_waiting(until)

    def before_stop(self) -> None:
        """Let everything pass: the server is being stopped."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._admission.stop()
        self._processes.resume_all()

    def close(self) -> None:
        """Heal all faults and release all resources; the server is gone. Held data is lost."""
        self.before_stop()
        self.fault_set.unsubscribe(self._changed)
        for each in (self._relays, self._datagrams):
            if each is not None:
                each.stop(self._options.timeout)
        self.fault_set.heal()
        self.listener.close()
        self._processes.close()
        self._unhook()

    def failures(self) -> list[FaultNeverFired]:
        """Return an error for each fault that has never fired, though it was to."""
        name, is_datagram = self._options.name, self._options.is_datagram
        traffic = traffic_in_words(name, self._recorder.connections, is_datagram=is_datagram)
        return [FaultNeverFired.of(each, traffic) for each in self.fault_set.unfired]

    def check_outage(self) -> None:
        """Raise UsageError if the server's address is a relay's."""
        if self._datagrams is not None or self.listener.state != ListenerState.OPEN:
            raise UsageError(
                f"outage(): faults have the address of the {self._options.name}; expected Blackhole() in its place "
                "for datagrams, and no Refuse() or BacklogFull() at the same time"
            )


def _counts(selector: Selector) -> bool:
    given = (selector.nth, selector.every, selector.times, selector.probability)
    return any(each is not None for each in given) or isinstance(selector.connections, First)
