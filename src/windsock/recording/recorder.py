"""The recording of one server: its connections, its errors, and waiting for more of them."""

from __future__ import annotations

import signal
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from windsock.errors import PeerError, RecordingFailed, WaitTimeout
from windsock.net.addresses import Address, show
from windsock.net.deadlines import within
from windsock.net.system import monotonic
from windsock.recording import exception_pickle
from windsock.recording.changes import Changes
from windsock.recording.channel import Channel
from windsock.recording.connection import Connection
from windsock.recording.connection_numbers import ConnectionNumbers
from windsock.recording.errors import HandlerDied, HandlerErrors
from windsock.recording.events import Ending, Kind
from windsock.recording.null_recorder import NullRecorder
from windsock.recording.part import Part
from windsock.recording.pending import Call, Pending
from windsock.recording.store.log import Log
from windsock.recording.store.memory import Memory
from windsock.recording.store.spill_file import Event
from windsock.recording.waiters import Waiters
from windsock.servers import fork_hooks

if TYPE_CHECKING:
    from windsock.protocols.protocol import Protocol

__all__ = ["Recorder"]

A_MOMENT = 1.0
"""Seconds for which reading the record waits for a call that ends a stream. Such calls do not usually block."""


class Recorder(NullRecorder):
    """Records the connections and errors of one server, from all of its threads and forked children.

    Children append to a file that the parent reads on demand, so nothing is lost when they are killed.
    """

    def __init__(self) -> None:
        self.numbers: ConnectionNumbers = ConnectionNumbers()
        self.errors: HandlerErrors = HandlerErrors(self.catch_up)
        self.late_errors: HandlerErrors | None = None
        """Errors of handlers that came after the part that their connections belong to; made for the first part."""
        self._part = Part()
        self.waiters: Waiters = Waiters()
        self.is_child: bool = False
        self.stopped_at: float | None = None
        self.protocol: Protocol | None = None
        """The protocol of its connections, if it is known."""
        self.keeps_records = False
        """Whether each event of data on its connections is a record."""
        self.pending: Pending = Pending()
        self.expected: list[object] = []
        """Deliberate failures: the errors, or the indices of the connections whose handler fails."""
        self.changes: Changes = Changes()
        """What happened to the server or proxy as a whole."""
        self._memory = Memory()
        self._channel: Channel | None = None
        self._loss: RecordingFailed | None = None
        self._is_closed = False
        fork_hooks.prepare_before_forks(self)
        fork_hooks.renew_in_children(self)

    @property
    def connections(self) -> list[Connection]:
        """The connections of the part that goes on."""
        return self.numbers.connections

    # --- recording

    def open(self, peer: Address) -> Connection:
        """Begin a new connection."""
        with self.waiters:
            numbers = self.numbers
            connection = Connection(self, numbers.next_index, peer)
            if numbers.shift:
                connection.shift = numbers.shift
            if self.protocol is not None:
                connection.protocol = self.protocol
            if self.keeps_records:
                connection.keeps_records = True
            numbers.connections.append(connection)
        if self.waiters:
            self.wake()
        return connection

    @property
    def next_index(self) -> int:
        """The index of the connection that comes next."""
        return self.numbers.next_index

    def failed(self, connection: Connection | None, error: BaseException) -> None:
        """Record an exception of a handler or, without a connection, of the server around it."""
        if self.is_child:
            if connection is not None:
                connection.fail(error)
                connection.note(Kind.ERROR, exception_pickle.pack(error))
            return
        self._add_error(connection, error)
        if connection is not None:
            connection.note(Kind.ERROR)

    def teller(self) -> Callable[[Connection | None, BaseException], None]:
        """Return `failed` with a weak reference to the recording: a cycle would keep its memory for a while."""
        who = weakref.ref(self)

        def failed(connection: Connection | None, error: BaseException) -> None:
            recorder = who()
            if recorder is not None:
                recorder.failed(connection, error)

        return failed

    def error_from_child(self, connection: Connection, parcel: bytes) -> None:
        """Record an error from another process."""
        self._add_error(connection, exception_pickle.unpack(parcel))

    def child_exited(self, pid: int, exit_code: int) -> None:
        """Close what a child has left open. If it was killed, or exited without an error report, add an error.

        A stop kills children that do not end, and names them itself.
        """
        self.catch_up()
        is_blameless = not exit_code or (self.stopped_at is not None and exit_code == -signal.SIGKILL)
        for connection in self.numbers.handled_by(pid):
            connection.has_exited = True
            self.pending.end_all(connection.index)
            was_open = connection.record_end(monotonic(), Ending.HANDLER_DIED if exit_code else None)
            if was_open and not (is_blameless or connection.has_failed or connection.was_stopped):
                self._add_error(connection, HandlerDied(pid, exit_code))
        self.wake()

    def stop(self) -> None:
        """Record that from now on the server's stop ends connections."""
        if self.stopped_at is None:
            self.stopped_at = monotonic()

    def resume(self) -> None:
        """Undo `stop()`: the server is up again."""
        self.catch_up()  # what children have seen of the stop
        self.stopped_at = None

    def was_stopped_at(self, time: float) -> bool:
        """Return whether the server was stopping at that time."""
        return self.stopped_at is not None and time >= self.stopped_at

    def close_all(self) -> None:
        """Close the connections that are still open: the server is gone."""
        self.catch_up()
        for connection in self.connections:
            connection.set_relayed(False)
            connection.record_end(monotonic())
        if self.waiters:
            self.wake()

    def close(self) -> None:
        """Close descriptors that are no longer needed; the recording can still be read."""
        self._is_closed = True
        self.hand = None
        self.catch_up()
        with self.waiters:
            self._channel = None  # closes its file, unless blocks of it are still needed
        self.waiters.leave_children()
        for errors in (self.errors, self.late_errors):
            if errors is not None:
                errors.part()
        for connection in self.connections:
            connection.part()

    def wake(self) -> None:
        """Make waiting threads and tasks check again."""
        self.waiters.wake()

    def hold(self, connection: Log, size: int) -> None:
        """Add to the memory that a connection uses; if the total is too much, move the oldest events to a file."""
        with self.waiters:
            self._memory.hold(connection, size, self.connections)

    # --- parts

    def begin_part(self, part: Part) -> None:
        """Begin the part of another test: only connections that are open are still there, and keep their index."""
        with self.waiters:
            self._end_part_before()
            self._part = part
            self.numbers.begin_part()
            self.changes.begin_part()
            self.expected = [each for each in self.expected if any(each == kept.index for kept in self.connections)]

    def _end_part_before(self) -> None:
        """Assign the connections to the part that ends here; errors that its verdict does not have are late."""
        if self.late_errors is None:
            self.late_errors = HandlerErrors(self.catch_up)
        for error in self.errors.begin_again():
            self.late_errors.add(error, "", is_blameless=False)
        for each in self.connections:
            self._memory.release(each)
            if each.of_part is None or each.was_active_since(self._part.began):
                each.of_part = self._part

    def _late_part(self, connection: Connection | None) -> Part | None:
        """Return the part that an error of now belongs to if that is over; None if it belongs to this one."""
        if self._part.is_over or connection is None or connection.of_part is None:
            return self._part if self._part.is_over else None
        return None if connection.was_active_since(self._part.began) else connection.of_part

    def stay_in_memory(self) -> None:
        """Move nothing to a file, whatever it takes: traffic may be secret."""
        self._memory.can_spill = False

    # --- forked children

    def prepare_for_fork(self) -> None:
        """Create the file that children will write to."""
        if not (self.is_child or self._is_closed) and self._channel is None:
            with self.waiters:
                if self._channel is None:  # two threads may fork at the same time
                    self._channel = Channel()
                    self.waiters.watch(self._channel.wakeup)

    def room_for_children(self) -> memoryview | None:
        """Return memory that children share with their parent; None before `prepare_for_children()`."""
        return None if self._channel is None else self._channel.room()

    def prepare_for_children(self) -> None:
        """Create the file for a server that forks. Raises RecordingFailed if its children cannot be recorded."""
        self.prepare_for_fork()
        if self._channel is not None and self._channel.problem is not None:
            raise self._channel.problem

    def after_fork_in_child(self) -> None:
        """From now on report events to the parent."""
        self.is_child = True
        self.waiters.begin_in_child()
        self.pending = Pending()

    def tell_parent(self, index: int, event: Event) -> None:
        """Write an event to the file that the parent reads."""
        if self._channel is not None:
            self._channel.tell(index, event)

    def catch_up(self) -> None:
        """Read what children have written since. If another thread is doing that, wait for it."""
        channel = self._channel
        if channel is None or self.is_child:
            return
        with self.waiters:
            if self._loss is None and (loss := channel.loss()) is not None:
                self._loss = loss
                self._add_error(None, loss)
            channel.read(self.numbers.of_child)

    def check_whole(self) -> None:
        """Raise RecordingFailed if the recording is incomplete."""
        if self._loss is not None:
            raise self._loss

    def settle(self) -> None:
        """Catch up, and wait for other threads' calls that end a stream: their events are recorded at their return.

        So a reader never misses an end that a client has already seen. A call that blocks is waited for only once.
        """
        self.catch_up()
        calls = self.pending.of_others()
        if calls and not self.waiters.wait_until(lambda: self._have_returned(calls), within(A_MOMENT)):
            for call in calls:
                self.pending.end(call)

    def _have_returned(self, calls: set[Call]) -> bool:
        self.catch_up()
        return calls.isdisjoint(self.pending.of_others())

    def _add_error(self, connection: Connection | None, error: BaseException) -> None:
        is_blameless, name = self._is_expected(connection, error), ""
        if connection is not None:
            is_blameless |= connection.ended_by_stop()
            connection.fail(error)
            name = f"#{connection.index} from {show(connection.peer)}"
        part = self._late_part(connection)
        if part is None or self.late_errors is None:
            self.errors.add(error, name, is_blameless=is_blameless)
        else:
            is_blameless |= part.has_failed and isinstance(error, PeerError | WaitTimeout)
            if not name:
                error.add_note(f"windsock: after the end of {part.name}")
            self.late_errors.add(error, name and f"{name}, after the end of {part.name}", is_blameless=is_blameless)

    def _is_expected(self, connection: Connection | None, error: BaseException) -> bool:
        index = None if connection is None else connection.index
        return any(each is error or (index is not None and each == index) for each in self.expected)
