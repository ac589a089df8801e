"""The recording of one server: its connections, its errors, and waiting for more of them."""

from __future__ import annotations

import contextlib
import signal
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from windsock.errors import PeerError, RecordingFailed, WaitTimeout
from windsock.net.addresses import Address, show
from windsock.net.deadlines import capped, milliseconds, within
from windsock.net.system import monotonic, os, select, threading
from windsock.recording import exception_pickle
from windsock.recording.channel import Channel
from windsock.recording.connection import Connection
from windsock.recording.errors import HandlerDied, HandlerErrors
from windsock.recording.events import Ending, Kind
from windsock.recording.listener import Listener
from windsock.recording.null_recorder import NullRecorder
from windsock.recording.part import Part
from windsock.recording.pending import Call, Pending
from windsock.recording.store.log import OVERHEAD, Log
from windsock.recording.store.spill_file import FOOTER_SIZE, HEADER_SIZE, Event, SpilledEvents, SpillFile

if TYPE_CHECKING:
    from windsock.net.wakeup import Wakeup
    from windsock.protocols.protocol import Protocol

__all__ = ["Recorder"]

MEMORY = 32 * 1024 * 1024
"""Bytes of traffic that one server's recording keeps in memory; more goes to a file..."""
MEMORY_AFTERWARDS = MEMORY // 2
"""...until at most this many are left: a few large writes are faster than many small ones."""

RUN = 64 * 1024
"""The size in bytes from which on a run of one child's events stays on disk."""
LONGEST_RUN = 1024 * 1024
"""The most bytes that are read at once, so that a long recording needs little memory."""
A_MOMENT = 1.0
"""Seconds for which reading the record waits for a call that ends a stream. Such calls do not usually block."""


class Recorder(NullRecorder):
    """Records the connections and errors of one server, from all of its threads and forked children.

    Children append to a file that the parent reads on demand, so nothing is lost when they are killed. A descriptor
    wakes the threads that wait for their events.
    """

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.errors = HandlerErrors(self.catch_up)
        self.late_errors: HandlerErrors | None = None
        """Errors of handlers that came after the part that their connections belong to; made for the first part."""
        self._part = Part()
        self._ahead = 0
        """The index of a new connection, less its place in the list..."""
        self._shift = 0
        """...and less its number among all that there ever were."""
        self._carried = 0
        self._earlier: dict[int, Connection] = {}
        """Connections from before this part on which forked children may still report, by those numbers."""
        self.waiters = 0
        self.is_child = False
        self.stopped_at: float | None = None
        self.protocol: Protocol | None = None
        """The protocol of its connections, if it is known."""
        self.keeps_records = False
        """Whether each event of data on its connections is a record."""
        self.pending = Pending()
        self.expected: list[object] = []
        """Deliberate failures: the errors, or the indices of the connections whose handler fails."""
        self._changed = threading.Condition()
        self._has_leader = False
        self._listeners: list[Listener] = []
        self._in_memory = 0
        self._spill_file: SpillFile | None = None
        self._can_spill = True
        self._channel: Channel | None = None
        self._read_up_to = 0
        self._loss: RecordingFailed | None = None
        self._is_closed = False
        _recorders.add(self)

    # --- recording

    def open(self, peer: Address) -> Connection:
        """Begin a new connection."""
        with self._changed:
            connection = Connection(self, self.next_index, peer)
            if self._shift:
                connection.shift = self._shift
            if self.protocol is not None:
                connection.protocol = self.protocol
            if self.keeps_records:
                connection.keeps_records = True
            self.connections.append(connection)
        if self.waiters:
            self.wake()
        return connection

    @property
    def next_index(self) -> int:
        """The index of the connection that comes next."""
        return len(self.connections) + self._ahead

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
        for connection in [*self.connections, *self._earlier.values()]:
            if connection.pid == pid:
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
        with self._changed:
            channel, self._channel = self._channel, None  # closes its file, unless blocks of it are still needed
            call = None if channel is None else channel.wakeup
            if call is not None:
                call.call()
            if self._has_leader:
                self._changed.wait_for(lambda: not self._has_leader, 5)
        if call is not None:
            call.close()
        for errors in (self.errors, self.late_errors):
            if errors is not None:
                errors.part()
        for connection in self.connections:
            connection.part()

    # --- parts

    def begin_part(self, part: Part) -> None:
        """Begin the part of another test: only connections that are open are still there, and keep their index."""
        with self._changed:
            self._end_part_before()
            carried, self._part = self.carried(), part
            earlier = [each for each in (*self._earlier.values(), *self.connections) if _may_report(each)]
            new = self.next_index + self._shift
            index = max((each.index for each in carried), default=-1) + 1
            self._earlier = {each.index + each.shift: each for each in (*earlier, *carried)}
            self.connections, self._carried = carried, len(carried)
            self._ahead, self._shift = index - len(carried), new - index
            self.expected = [each for each in self.expected if any(each == kept.index for kept in carried)]

    def _end_part_before(self) -> None:
        """Assign the connections to the part that ends here; errors that its verdict does not have are late."""
        if self.late_errors is None:
            self.late_errors = HandlerErrors(self.catch_up)
        for error in self.errors.begin_again():
            self.late_errors.add(error, "", is_blameless=False)
        for each in self.connections:
            self._in_memory -= each.held_in_memory
            each.held_in_memory = 0
            if each.of_part is None or each.was_active_since(self._part.began):
                each.of_part = self._part

    def carried(self) -> list[Connection]:
        """Return the connections that another part would begin with: those of streams that are open."""
        return [each for each in self.connections if not (each.is_closed or each.is_datagram)]

    def numbered(self, index: int) -> Connection:
        """Return the connection of this part with that index."""
        return next(each for each in reversed(self.connections) if each.index == index)

    def _numbered(self, number: int) -> Connection | None:
        """Return the connection that a child means; None if its child had ended before this part."""
        if number in self._earlier:
            return self._earlier[number]
        place = number - self._shift - self._ahead
        return self.connections[place] if place >= self._carried else None

    def _late_part(self, connection: Connection | None) -> Part | None:
        """Return the part that an error of now belongs to if that is over; None if it belongs to this one."""
        if self._part.is_over or connection is None or connection.of_part is None:
            return self._part if self._part.is_over else None
        return None if connection.was_active_since(self._part.began) else connection.of_part

    # --- waiting

    def __enter__(self) -> None:
        """Keep other readers and new events of children out for a while."""
        self._changed.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self._changed.release()

    def wait_until(self, is_enough: Callable[[], bool], seconds: float) -> bool:
        """Wait until `is_enough()` returns true, for at most `seconds`; return False if it did not."""
        deadline = monotonic() + seconds
        self._changed.acquire()
        try:
            self.waiters += 1
            while not is_enough():
                left = deadline - monotonic()
                if left <= 0:
                    return False
                self._wait_for_news(left)
            return True
        finally:
            with self._changed:  # again: Ctrl-C may have come in a wait before that had the lock back
                self.waiters -= 1
                self._changed.notify_all()
            with contextlib.suppress(RuntimeError):  # likewise
                self._changed.release()

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """Give descriptors for an event loop, one of which becomes readable when a waiting task should check again."""
        listener = Listener()
        with self._changed:
            listener.watch(self._wakeup)
            self._listeners.append(listener)
            self.waiters += 1
        try:
            yield listener
        finally:
            with self._changed:
                self._listeners.remove(listener)
                self.waiters -= 1
            listener.close()

    def wake(self) -> None:
        """Make waiting threads and tasks check again."""
        with self._changed:
            self._tell_waiters()
            call = self._wakeup
            if self._has_leader and call is not None:
                call.call()

    def _tell_waiters(self) -> None:
        self._changed.notify_all()
        for each in self._listeners:
            each.watch(self._wakeup)
            each.call()

    def clear_news(self) -> None:
        """Make the descriptor that children write to unreadable, and tell the others that wait on it.

        If a thread waits on it too, that thread does so.
        """
        with self._changed:
            call = self._wakeup
            if call is not None and not self._has_leader and call.clear():
                self._tell_waiters()

    def _wait_for_news(self, seconds: float) -> None:
        """Wait on the condition; if children may have news too, one of the waiters waits for them."""
        call = self._wakeup
        if call is None or self._has_leader:
            self._changed.wait(capped(seconds))
            return
        self._has_leader = True
        self._changed.release()
        try:
            poll = select.poll()
            poll.register(call.fileno(), select.POLLIN)
            poll.poll(milliseconds(seconds))
            call.clear()
        finally:
            self._changed.acquire()
            self._has_leader = False
            self._tell_waiters()

    @property
    def _wakeup(self) -> Wakeup | None:
        return None if self._channel is None else self._channel.wakeup

    # --- memory

    def hold(self, connection: Log, size: int) -> None:
        """Add to the memory that a connection uses; if the total is too much, move the oldest events to a file."""
        with self._changed:
            connection.held_in_memory += size
            self._in_memory += size
            if self._in_memory > MEMORY and self._can_spill:
                self._spill()

    def stay_in_memory(self) -> None:
        """Move nothing to a file, whatever it takes: traffic may be secret."""
        self._can_spill = False

    def _spill(self) -> None:
        """Move the oldest events to a file; without a file, or if it is full, they stay in memory."""
        try:
            if self._spill_file is None:
                self._spill_file = SpillFile()
            for each in self.connections:
                if self._in_memory <= MEMORY_AFTERWARDS:
                    return
                if each.held_in_memory:
                    each.spill(self._spill_file)
                    self._in_memory -= each.held_in_memory
                    each.held_in_memory = 0
        except (RecordingFailed, OSError):
            self._can_spill = False

    # --- forked children

    def prepare_for_fork(self) -> None:
        """Create the file that children will write to."""
        if not (self.is_child or self._is_closed) and self._channel is None:
            with self._changed:
                if self._channel is None:  # two threads may fork at the same time
                    self._channel = Channel()
                    self._tell_waiters()

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
        self._changed = threading.Condition()
        self.is_child = True
        self.waiters = 0
        self._listeners = []
        self.pending = Pending()

    def tell_parent(self, index: int, event: Event) -> None:
        """Write an event to the file that the parent reads."""
        if self._channel is not None:
            self._channel.tell(index, event)

    def taken_by_child(self, connection: Connection) -> None:
        """Record, in a child, that it handles the connection."""
        connection.note(Kind.TAKEN, b"%d" % os.getpid())

    def catch_up(self) -> None:
        """Read what children have written since. If another thread is doing that, wait for it."""
        channel = self._channel
        if channel is None or self.is_child:
            return
        with self._changed:
            if self._loss is None and (loss := channel.loss()) is not None:
                self._loss = loss
                self._add_error(None, loss)
            spill_file = channel.spill_file
            if spill_file is None or self._read_up_to + HEADER_SIZE > spill_file.size():
                return
            runs = _Runs(spill_file)
            for connection, time, kind, at, size in spill_file.scan(self._read_up_to, spill_file.size()):
                reported = self._numbered(connection)
                if reported is not None:
                    runs.add(reported, Event(time, kind, b""), at, size)
                self._read_up_to = at + size + FOOTER_SIZE
            runs.end()

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
        if calls and not self.wait_until(lambda: self._have_returned(calls), within(A_MOMENT)):
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


def _may_report(connection: Connection) -> bool:
    """Return whether a forked child handles the connection, or has not ended yet."""
    return connection.pid is not None and not connection.has_exited


class _Runs:
    """Collects children's events into runs of one connection; long runs stay on disk."""

    def __init__(self, spill_file: SpillFile) -> None:
        self._spill_file = spill_file
        self._connection: Connection | None = None
        self._found: list[tuple[Event, int, int]] = []
        self._size = 0

    def add(self, connection: Connection, event: Event, at: int, size: int) -> None:
        if connection is not self._connection:
            self.end()
            self._connection = connection
        self._found.append((event, at, size))
        self._size += size + OVERHEAD
        if self._size > LONGEST_RUN:
            self.end()

    def end(self) -> None:
        connection, found = self._connection, self._found
        if connection is None or not found:
            return
        if self._size > RUN:
            start, (_, at, size) = found[0][1] - HEADER_SIZE, found[-1]
            up, down = (sum(each[2] for each in found if each[0].kind == kind) for kind in (Kind.UP, Kind.DOWN))
            connection.append(SpilledEvents(self._spill_file, start, at + size + FOOTER_SIZE, len(found), up, down))
        for event, at, size in found:
            is_needed = self._size <= RUN or event.kind > Kind.MARK
            whole = event._replace(data=self._spill_file.data(at, size)) if is_needed else event
            if self._size <= RUN:
                connection.append(whole)
            if event.kind > Kind.MARK:
                connection.apply(whole)
        self._found, self._size = [], 0


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _before_fork() -> None:
    for recorder in list(_recorders):
        recorder.prepare_for_fork()


def _after_fork_in_child() -> None:
    for recorder in list(_recorders):
        recorder.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
