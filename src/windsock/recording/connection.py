"""One recorded connection: its peer, times, traffic, and ending."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from windsock.net.addresses import Address
from windsock.net.system import monotonic, threading
from windsock.recording.events import Chunk, Direction, Ending, Kind, ScriptState
from windsock.recording.in_hand import InHand
from windsock.recording.null_recorder import NullRecorder
from windsock.recording.pending import OTHER_PROCESS, NotedAfterwards
from windsock.recording.store.log import Log
from windsock.recording.store.spill_file import Event, SpilledEvents
from windsock.recording.unsent import OF
from windsock.recording.urgency import STREAM_OF, UrgentByte, urgent_byte
from windsock.security.alerts import Alert

if TYPE_CHECKING:
    from windsock.protocols.protocol import Protocol
    from windsock.recording.part import Part
    from windsock.scripts import Script
    from windsock.security.handshake_info import TLSHandshake

__all__ = ["Connection"]

DIRECTIONS = {Kind.UP: Direction.UPSTREAM, Kind.DOWN: Direction.DOWNSTREAM}
BY_SERVER = (Kind.HALF_CLOSE, Kind.CLOSE, Kind.DELIVERED)
"""Events that become true with a call: see `Connection.noted_after`."""
BY_CLIENT = (Kind.UP, Kind.CLIENT_EOF, Kind.CLIENT_RESET)
BY_STOPPING = ("EOF", "reset")
"""Handshake failures that a stopping server causes itself; all others are caused by the client."""
FINAL = (
    Ending.CLIENT_EOF,
    Ending.CLIENT_RESET,
    Ending.TLS_ALERT,
    Ending.STOPPED,
    Ending.SERVER_CLOSE,
    Ending.SERVER_RESET,
)
"""Endings that later events do not change."""
ENDINGS = {
    Kind.CLIENT_EOF: Ending.CLIENT_EOF,
    Kind.CLIENT_RESET: Ending.CLIENT_RESET,
    Kind.TIMEOUT: Ending.TIMEOUT,
    Kind.SERVER_RESET: Ending.SERVER_RESET,
}


class Connection(InHand, Log):
    """One recorded connection, or one datagram with its replies. Can be read while it goes on.

    `index` counts from 0, `peer` is the client's address, `opened` and `closed` are monotonic seconds
    (`closed` is None while it is open), `error` is the exception that ended its handler.
    """

    truncated_from: int | None = None
    """The size in bytes of a datagram before the server truncated it to its `max_packet_size`."""
    is_datagram = False
    """Whether it is one datagram with its replies."""
    protocol: Protocol | None = None
    """The protocol of its messages, if it is known."""
    keeps_records = False
    """Whether each of its `chunks` is a record."""
    pid: int | None = None
    """The forked process that handled the connection."""
    onward_address: Address = None
    """The address from which a proxy went on to the server behind it; None where no proxy did."""
    descriptor = -1
    """The server's descriptor; invalid once it is closed, and if a forked child handles the connection."""
    is_handled = False
    """Whether its handler has returned, in this process; a file made from its socket may keep the socket open."""
    unread: int = 0
    """Bytes from the client that had come when the server closed the connection, and that it had not read."""
    rests_until: float = 0.0
    """The monotonic time until which a fake pauses on it."""
    of_part: Part | None = None
    """The latest part of the recording that is over and in which its client was active; None while there is none."""
    has_exited = False
    """Whether the forked process that handled it has ended."""

    # Class attributes for what most connections never set, which makes creating one cheaper.
    _cut_at: float | None = None
    _is_tls_truncated = False
    _tls: TLSHandshake | None = None
    _refused: str | None = None
    _script: tuple[ScriptState, str] | None = None
    _closed: float | None = None
    _errors: tuple[BaseException, ...] = ()
    _is_half_closed = False
    _ending: Ending | None = None
    _has_half_closed = False
    _has_seen_stop = False
    _is_relayed = False
    """Whether a relay has yet to pass the server's end on to the client."""

    def __init__(self, recorder: NullRecorder, index: int, peer: Address) -> None:
        super().__init__(recorder)
        self.index = index
        self.peer = peer
        self.opened: float = monotonic()

    def __repr__(self) -> str:
        from windsock.net.addresses import show

        state = "open" if self.closed is None else str(self.ending)
        return f"<Connection #{self.index} from {show(self.peer)}: {state}>"

    @property
    def begins(self) -> float:
        """When the record of it begins, in monotonic seconds: when it was opened, or later (see `cut`)."""
        return self.opened if self._cut_at is None else self._cut_at

    @property
    def closed(self) -> float | None:
        """When it was closed, in monotonic seconds; None while its client cannot see that."""
        self._recorder.settle()
        return self.closed_at

    @property
    def error(self) -> BaseException | None:
        """The exception that ended its handler."""
        self._recorder.catch_up()
        return self._errors[0] if self._errors else None

    @property
    def errors(self) -> tuple[BaseException, ...]:
        """The exceptions of its handler and of the server around it, the oldest first."""
        self._recorder.catch_up()
        return self._errors

    @property
    def tls(self) -> TLSHandshake | None:
        """The result of the latest TLS handshake; None without one."""
        self._recorder.catch_up()
        return self._tls

    @property
    def is_tls_truncated(self) -> bool:
        """True if the client's stream ended without close_notify."""
        self._recorder.catch_up()
        return self._is_tls_truncated

    @property
    def refused(self) -> str | None:
        """Why the server turned the client away; None if it did not."""
        self._recorder.catch_up()
        return self._refused

    @property
    def played(self) -> str | None:
        """How far the script of a fake has come on it, in words; None without a script.

        That is its `script_state`; "failed" and "stopped" are followed by the step, as in "failed at step 1 of 2, ...".
        """
        self._recorder.catch_up()
        return None if self._script is None else "".join(self._script)

    @property
    def script_state(self) -> ScriptState | None:
        """How far the script of a fake has come on it; None without a script."""
        self._recorder.catch_up()
        return None if self._script is None else self._script[0]

    @property
    def ending(self) -> Ending | None:
        """How it ended and by whom; None while its client cannot see the server's end of the stream."""
        self._recorder.settle()
        return self.ending_so_far()

    @property
    def chunks(self) -> Iterator[Chunk]:
        """The bytes in the order in which the server received and sent them, read back piece by piece."""
        for event in self.settled():
            if event.kind <= Kind.DOWN and event.data:
                yield Chunk(event.time, DIRECTIONS[event.kind], event.data)

    @property
    def urgent(self) -> list[UrgentByte]:
        """The urgent bytes of both directions, in the order in which they were received and sent."""
        return [urgent_byte(event) for event in self.settled() if event.kind in STREAM_OF]

    @property
    def upstream(self) -> bytes:
        """All bytes from the client."""
        return self.read(Kind.UP)

    @property
    def downstream(self) -> bytes:
        """All bytes from the server."""
        return self.read(Kind.DOWN)

    def as_script(self, side: str = "client", *, timing: bool = False) -> Script:
        """Return what one end did as a script, to play it again, or to `print()` it and paste it into a test.

        `side` is "client" or "server" (for a fake). `timing` adds the original pauses, rounded; without it, data
        sent in a row is sent at once. With a protocol, messages are its values. For TLS it has the plaintext. A
        connection that the server's stop ended is left open. Raises UsageError for more data than a script should hold
        (16 MiB).
        """
        from windsock.recording.to_script import ScriptWriter

        writer = ScriptWriter(
            side,
            has_timing=timing,
            is_datagram=self.is_datagram,
            keeps_records=self.keeps_records,
            began=self.opened,
            protocol=self.protocol,
        )
        return writer.written(self.settled(), is_stopped=self.ending is Ending.STOPPED, name=repr(self))

    # --- for recorders

    def apply(self, event: Event) -> None:
        """Update the state from an event other than passing bytes."""
        time, kind, data = event
        if kind in ENDINGS:
            self._is_tls_truncated |= kind == Kind.CLIENT_EOF and bool(data)
            self._has_seen_stop |= self._recorder.was_stopped_at(time)
            if self._ending not in FINAL:
                self._ending = Ending.STOPPED if self._recorder.was_stopped_at(time) else ENDINGS[kind]
            elif kind == Kind.CLIENT_RESET and self._ending is Ending.CLIENT_EOF:
                self._ending = Ending.CLIENT_RESET
        elif kind in BY_SERVER:
            self._apply_servers_end(time, kind)
            self.unread += int(data or 0)
        elif kind == Kind.BEGINS:
            self._begin(time, data[0])
        elif kind in OF:
            self._retracted |= {OF[kind]}
        elif kind == Kind.TAKEN:
            self.pid = int(data)
        elif kind == Kind.ERROR and data:
            self._recorder.error_from_child(self, data)
        elif kind in (Kind.TLS, Kind.REFUSED):
            self._apply_admission(time, kind, data)
        else:
            self._apply_rest(kind, data)

    def rest(self, until: float) -> None:
        """Record that a fake does nothing on it until then, in monotonic seconds; 0 when it continues."""
        if self._recorder.is_child:
            self.note(Kind.REST, repr(until).encode())
            return
        self.rests_until = until
        if self._recorder.waiters:
            self._recorder.wake()

    def _apply_servers_end(self, time: float, kind: int) -> None:
        if kind == Kind.HALF_CLOSE:
            self._blame_server(time, kind)
            self._is_half_closed = True
        elif kind == Kind.CLOSE:
            self._forget_timeout()
            self.record_end(time)
        else:
            self._is_relayed = False
        self._recorder.pending.end((self.index, kind))

    def _blame_server(self, time: float, kind: int) -> None:
        """Record that the server ended the stream, unless the client did so before."""
        self._has_half_closed |= kind == Kind.HALF_CLOSE and not self._recorder.was_stopped_at(time)
        self._forget_timeout()
        self._ending = self._ending or self._server_ending(time)

    def _apply_admission(self, time: float, kind: int, data: bytes) -> None:
        """Store the result of the handshake, or why the client was refused."""
        is_stopped = self._recorder.was_stopped_at(time)
        ending = None
        if kind == Kind.REFUSED:
            self._refused, ending = data.decode(), Ending.REFUSED
        else:
            self._tls = handshake = pickle.loads(data)
            if handshake.failure is not None:
                ending = Ending.HANDSHAKE_FAILED
                is_stopped = is_stopped and handshake.failure in BY_STOPPING
        if ending is not None:
            self._ending = self._ending or (Ending.STOPPED if is_stopped else ending)

    def _apply_rest(self, kind: int, data: bytes) -> None:
        """Store the progress of a script, that there is urgent data, and ends of TLS after the handshake."""
        if kind == Kind.SCRIPT:
            state, space, where = data.decode().partition(": ")[2].partition(" ")
            self._script = ScriptState(state), space + where
        elif kind == Kind.REST:
            self.rests_until = float(data)
        elif kind in STREAM_OF:
            self._has_urgent = True
        elif kind == Kind.TLS_END:
            if self._ending is Ending.CLIENT_EOF and not self._is_tls_truncated:
                self._ending = None  # that was only the end of TLS
        elif kind == Kind.TLS_ALERT:
            self._tls = None if self._tls is None else replace(self._tls, alert=Alert(data.decode()))
            if self._ending in (None, Ending.TIMEOUT):
                self._ending = Ending.TLS_ALERT

    def _server_ending(self, time: float) -> Ending:
        return Ending.STOPPED if self._recorder.was_stopped_at(time) else Ending.SERVER_CLOSE

    def _forget_timeout(self) -> None:
        if self._ending is Ending.TIMEOUT and self._has_heard_since():
            self._ending = None

    def cut(self, count: int, began: float, rest: bytes) -> None:
        """See Log. Since when it is open, how it is encrypted, and what its script does stays known."""
        self._forget_timeout()
        self._cut_at = monotonic()
        super().cut(count, began, rest)

    def was_active_since(self, time: float) -> bool:
        """Return whether its client has connected, sent or ended anything at that monotonic time or later."""
        return self.opened >= time or any(each.time >= time and each.kind in BY_CLIENT for each in self.events())

    def _has_heard_since(self) -> bool:
        """Return whether the client has sent data since the handler last timed out waiting for it."""
        for each in reversed(self._events):
            for kind in reversed(each.kinds()) if isinstance(each, SpilledEvents) else (each.kind,):
                if kind in (Kind.UP, Kind.TIMEOUT):
                    return kind == Kind.UP
        return False

    def noted_after(self, kind: int, data: bytes = b"") -> NotedAfterwards:
        """Return a context manager whose block makes the event true; it is recorded at the end of the block.

        Other readers wait a moment for the block, since a client may see the end before it is recorded.
        """
        return NotedAfterwards(self, kind, data)

    def begin(self, kind: int) -> None:
        """Announce the call that makes the event true."""
        if self._recorder.is_child:
            self.note(Kind.BEGINS, bytes([kind]))
        else:
            self._begin(monotonic(), kind, threading.get_ident())

    def _begin(self, time: float, kind: int, thread: int = OTHER_PROCESS) -> None:
        """Record who ends the stream: what the client does from here on may be a reaction to that."""
        if kind != Kind.DELIVERED:
            self._blame_server(time, kind)
        self._recorder.pending.begin((self.index, kind), thread)

    def set_relayed(self, is_relayed: bool) -> None:
        """Count the server's end only when a relay has passed it on (`Kind.DELIVERED`), or again at once."""
        self._is_relayed = is_relayed

    def record_end(self, time: float, ending: Ending | None = None) -> bool:
        """Record the end; without an ending, the server's, unless the client's end was seen.

        Returns whether it was open until now.
        """
        if self._closed is not None:
            return False
        if ending is None and self._recorder.was_stopped_at(time) and not self._has_half_closed:
            ending = Ending.STOPPED
        self._ending = self._ending or ending
        self._closed = time
        return True

    @property
    def closed_at(self) -> float | None:
        """When it was closed, as far as recorded by now."""
        return None if self._is_relayed else self._closed

    @property
    def is_released(self) -> bool:
        """Return whether the server has closed it; a relay may have yet to pass that on."""
        return self._closed is not None

    @property
    def is_closed(self) -> bool:
        """Return whether the end was recorded."""
        return self.closed_at is not None

    def ending_so_far(self) -> Ending | None:
        """Return how it ended, as far as recorded by now."""
        if self._is_relayed or (self._closed is None and not self._is_half_closed):
            return None
        return self._ending or Ending.SERVER_CLOSE

    @property
    def is_in_child(self) -> bool:
        """Return whether this process was forked to handle it."""
        return self._recorder.is_child

    @property
    def was_stopped(self) -> bool:
        """Return whether the server's stop ended it."""
        return self._ending is Ending.STOPPED

    @property
    def has_failed(self) -> bool:
        """Return whether an error of the handler was recorded."""
        return bool(self._errors)

    def fail(self, error: BaseException) -> None:
        """Record an error of the handler, or of the server around it; the first one ended the handler."""
        self._errors = (*self._errors, error)

    @property
    def has_clients_end(self) -> bool:
        """Return whether the client has ended its stream, as far as recorded by now."""
        return self._ending in (Ending.CLIENT_EOF, Ending.CLIENT_RESET)

    def has_noted(self, error: BaseException) -> bool:
        """Return whether this error object was recorded."""
        return any(each is error for each in self._errors)

    def ended_by_stop(self) -> bool:
        """Return whether the handler was ended by the server's stop."""
        return self._has_seen_stop
