"""One connection as it was: who, when, what came, what was answered, how it ended."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from itertools import takewhile
from time import monotonic
from typing import TYPE_CHECKING, Any

from windsock.addresses import Address
from windsock.recording.arena import Arena, Kept, Segment
from windsock.recording.events import Chunk, Direction, Ending, Kind
from windsock.recording.parted import NO_RECORDER, NoRecorder
from windsock.recording.retraction import cuts_in, without
from windsock.recording.spool import PIECE, Block, Event, Spool

if TYPE_CHECKING:
    from windsock.recording.recorder import Recorder
    from windsock.security.facts import TLSHandshake
    from windsock.steps import Script

__all__ = ["OVERHEAD", "Connection"]

STEP = 64 * 1024
"""Bytes that a connection may hold before the recorder hears of it."""
LARGE = 4096
"""Bytes from which on a chunk goes to memory that is used again..."""
FIRST_LARGE = 64 * 1024
"""...but for so many in a connection's first large ones, so that not each connection needs a segment."""
OVERHEAD = 192
"""Bytes of memory that an event takes beside its data."""

DIRECTIONS = {Kind.UP: Direction.UPSTREAM, Kind.DOWN: Direction.DOWNSTREAM}
BY_STOPPING = ("EOF", "reset")
"""Failures of a handshake that a server causes itself when it stops; all others are the client's doing."""
ENDINGS = {
    Kind.CLIENT_EOF: Ending.CLIENT_EOF,
    Kind.CLIENT_RESET: Ending.CLIENT_RESET,
    Kind.TIMEOUT: Ending.TIMEOUT,
    Kind.SERVER_RESET: Ending.SERVER_RESET,
}


class Connection:
    """One recorded connection, or one datagram with the replies to it. Safe to read while it goes on.

    `index` counts from 0, `peer` is the client's address, `opened` and `closed` are monotonic seconds
    (`closed` is None while it is open), `error` is the exception that ended its handler.
    """

    truncated_from: int | None = None
    """Size in bytes that a datagram had before the server cut it to its `max_packet_size`."""
    is_datagram = False
    """Whether it is one datagram with the replies to it."""
    pid: int | None = None
    """The forked process that handled the connection."""
    held_in_memory = 0
    """Bytes in memory that the recorder has heard of; only for the recorder."""

    # What most connections never set is here, so that none has to when it is made.
    _is_tls_truncated = False
    _tls: TLSHandshake | None = None
    _refused: str | None = None
    _played: str | None = None
    _closed: float | None = None
    _error: BaseException | None = None
    _latest: tuple[bytes, Kept] | None = None
    _first_large = 0
    _held = 0
    _is_half_closed = False
    _ending: Ending | None = None
    _has_retracted = False
    _has_half_closed = False
    _has_seen_stop = False

    def __init__(self, recorder: Recorder, index: int, peer: Address) -> None:
        self.index = index
        self.peer = peer
        self.opened = monotonic()
        self._recorder: Recorder | NoRecorder = recorder
        self._log: list[Event | Kept | Block] = []
        self._arena = Arena()
        self._joined: dict[int, tuple[int, bytes]] = {}

    def __repr__(self) -> str:
        from windsock.addresses import show

        state = "open" if self.closed is None else str(self.ending)
        return f"<Connection #{self.index} from {show(self.peer)}: {state}>"

    @property
    def closed(self) -> float | None:
        """When it was closed."""
        self._recorder.catch_up()
        return self._closed

    @property
    def error(self) -> BaseException | None:
        """What its handler ended with."""
        self._recorder.catch_up()
        return self._error

    @property
    def tls(self) -> TLSHandshake | None:
        """What the TLS handshake came to, the latest one; None without one."""
        self._recorder.catch_up()
        return self._tls

    @property
    def is_tls_truncated(self) -> bool:
        """Whether the client's end of the stream came without its end of TLS (close_notify)."""
        self._recorder.catch_up()
        return self._is_tls_truncated

    @property
    def refused(self) -> str | None:
        """Why the server turned the client away; None if it did not."""
        self._recorder.catch_up()
        return self._refused

    @property
    def played(self) -> str | None:
        """How far the script has come that a fake plays on it; None without a script.

        The first word is "begun", "resting" (in a loop without an end, between two rounds), "done", "failed" or
        "stopped"; for the latter two the step follows.
        """
        self._recorder.catch_up()
        return self._played

    @property
    def ending(self) -> Ending | None:
        """How it ended and by whom; None as long as the server has not sent its end of the stream."""
        if self.closed is None and not self._is_half_closed:
            return None
        return self._ending or Ending.SERVER_CLOSE

    @property
    def _events(self) -> list[Event | Kept | Block]:
        """What there is at this moment."""
        log: list[Any] = list(self._log)
        return [Event._make(each) if type(each) is tuple else each for each in log]

    @property
    def chunks(self) -> Iterator[Chunk]:
        """The bytes in the order in which the server took and gave them, read back piece by piece."""
        for event in self.settled():
            if event.kind <= Kind.DOWN and event.data:
                yield Chunk(event.time, DIRECTIONS[event.kind], event.data)

    @property
    def upstream(self) -> bytes:
        """All that came from the client."""
        return self.read(Kind.UP)

    @property
    def downstream(self) -> bytes:
        """All that was answered."""
        return self.read(Kind.DOWN)

    def read(self, kind: int, start: int = 0, end: int | None = None) -> bytes:
        """Return bytes `start` to `end` of one direction (`Kind.UP` or `Kind.DOWN`)."""
        self._recorder.catch_up()
        events = self._events
        if not all(isinstance(each, Event) for each in events):
            return b"".join(self._pieces(kind, start, end))
        count, joined = self._joined.get(kind, (-1, b""))
        if count != len(events):
            found = [each for each in events if isinstance(each, Event)]
            joined = b"".join(each.data for each in without(found, cuts_in(found)) if each.kind == kind)
            self._joined[kind] = (len(events), joined)
        return joined[start:end]

    def as_script(self, side: str = "client", *, timing: bool = False) -> Script:
        """Return what one side did as a script: play it again, or `print()` it and paste it into a test.

        `side` is "client" or "server" (for a fake). With `timing` there are pauses as they were, rounded; without, all
        that was sent in a row is sent at once. Of TLS it has what was said in it. What the server's stop has ended is
        left open. Raises UsageError if more was carried than a script should hold (16 MiB).
        """
        from windsock.recording.scripted import as_script

        return as_script(self, side, timing=timing)

    def settled(self) -> Iterator[Event]:
        """Give the events without what was retracted.

        Data for the client is noted before it is sent, so that it is there when the client has it.
        """
        return without(self.events(), cuts_in(self.events()) if self._has_retracted else {})

    def _pieces(self, kind: int, start: int, end: int | None) -> Iterator[bytes]:
        position = 0
        events: Iterator[Event | Kept] = self.settled()
        if kind == Kind.UP or not self._has_retracted:
            position, events = self._events_from(kind, start)
        for event in events:
            if event.kind == kind:
                data = event.data
                if position + len(data) > start:
                    yield data[max(0, start - position) : None if end is None else max(0, end - position)]
                position += len(data)
                if end is not None and position >= end:
                    return

    def _events_from(self, kind: int, start: int) -> tuple[int, Iterator[Event | Kept]]:
        """Return where the block with the start-th byte of that kind starts, and the events from there on."""
        position = passed = 0
        for each in self._events:
            size = (each.up if kind == Kind.UP else each.down) if isinstance(each, Block) else start + 1
            if position + size > start:
                break
            position += size
            passed += each.count if isinstance(each, Block) else 1
        return position, self._entries(passed)

    def events(self, start: int = 0) -> Iterator[Event]:
        """Give the events from the start-th on, whether in memory or on disk."""
        return (each if isinstance(each, Event) else each.event() for each in self._entries(start))

    def _entries(self, start: int) -> Iterator[Event | Kept]:
        self._recorder.catch_up()
        seen = 0
        for each in self._events:
            if not isinstance(each, Block):
                if seen >= start:
                    yield each
                seen += 1
            elif seen + each.count <= start:
                seen += each.count
            else:
                for event in each.events():
                    if seen >= start:
                        yield event
                    seen += 1

    # --- for those who record

    def part(self) -> None:
        """Let go of the recorder, which has nothing more to tell: without cycles nothing waits for the collector."""
        self._recorder = NO_RECORDER

    def note(self, kind: int, data: bytes = b"") -> None:
        """Note that something happened just now. From any thread, and from a forked child."""
        recorder = self._recorder
        size = len(data)
        if size >= LARGE and kind <= Kind.DOWN and not recorder.is_child:
            size = self._keep(monotonic(), kind, data, size)
        else:
            event: Any = (monotonic(), kind, data)  # a plain tuple: made quickly, and of no interest to the collector
            if recorder.is_child:
                recorder.tell_parent(self.index, Event._make(event))
                return
            self._log.append(event)
            if kind > Kind.MARK:
                self._latest = None
                self.apply(event)
        self._held += size + OVERHEAD
        if self._held > STEP:
            self._account()
        if recorder.waiters:
            recorder.wake()

    def _keep(self, time: float, kind: int, data: bytes, size: int) -> int:
        """Put large data where that is cheap; return how many bytes are held for it."""
        latest, self._latest = self._latest, None
        if latest is not None and latest[0] is data and kind == Kind.DOWN:  # an echo
            _, (_, _, segment, at, _) = latest
            self._log.append(Kept(time, kind, segment, at, size))
            return 0
        if size > PIECE:
            view = memoryview(data)
            self._log += [self._arena.keep(time, kind, view[at : at + PIECE]) for at in range(0, size, PIECE)]
        elif self._first_large < FIRST_LARGE:
            self._first_large += size
            self._log.append(Event(time, kind, data))
        else:
            kept = self._arena.keep(time, kind, data)
            self._log.append(kept)
            self._latest = data, kept
        return size

    def lend(self) -> tuple[Segment, int, memoryview]:
        """Return memory of the recording, to receive much into it at once: the arguments of `note_lent`, and a view.

        Not in forked children, and not from two threads at a time.
        """
        segment, at = self._arena.lend()
        return segment, at, segment.memory[at : at + PIECE]

    def note_lent(self, kind: int, segment: Segment, at: int, size: int) -> None:
        """Note that so many bytes of what was lent have just passed."""
        self._log.append(Kept(monotonic(), kind, segment, at, size))
        self._arena.take_back(segment, at + size)
        self._latest = None
        self._held += size + OVERHEAD
        if self._held > STEP:
            self._account()
        if self._recorder.waiters:
            self._recorder.wake()

    def retract(self, size: int) -> None:
        """Note that the last `size` bytes given to the client did not go out after all."""
        if size:
            self.note(Kind.RETRACT, b"%d" % size)

    def apply(self, event: Event) -> None:
        """Draw the conclusions from an event that says more than that bytes passed."""
        time, kind, data = event
        if kind in ENDINGS:
            self._is_tls_truncated |= kind == Kind.CLIENT_EOF and bool(data)
            self._has_seen_stop |= self._recorder.was_stopped_at(time)
            if self._ending not in (Ending.CLIENT_EOF, Ending.CLIENT_RESET, Ending.STOPPED, Ending.SERVER_CLOSE):
                self._ending = Ending.STOPPED if self._recorder.was_stopped_at(time) else ENDINGS[kind]
            elif kind == Kind.CLIENT_RESET and self._ending is Ending.CLIENT_EOF:
                self._ending = Ending.CLIENT_RESET
        elif kind == Kind.CLOSE:
            self._forget_timeout()
            self.close(time)
        elif kind == Kind.RETRACT:
            self._has_retracted = True
        elif kind == Kind.HALF_CLOSE:
            self._has_half_closed |= not self._recorder.was_stopped_at(time)
            self._forget_timeout()
            self._ending = self._ending or self._server_ending(time)
            self._is_half_closed = True
        elif kind == Kind.TAKEN:
            self.pid = int(data)
        elif kind == Kind.ERROR and data:
            self._recorder.error_from_child(self, data)
        elif kind in (Kind.TLS, Kind.REFUSED):
            self._apply_admission(time, kind, data)
        else:
            self._played = data.decode() if kind == Kind.SCRIPT else self._played

    def _apply_admission(self, time: float, kind: int, data: bytes) -> None:
        """Keep what the server made of the client before it listened to it."""
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

    def _server_ending(self, time: float) -> Ending:
        return Ending.STOPPED if self._recorder.was_stopped_at(time) else Ending.SERVER_CLOSE

    def _forget_timeout(self) -> None:
        if self._ending is Ending.TIMEOUT and self._has_heard_since():
            self._ending = None

    def _has_heard_since(self) -> bool:
        """Return whether the client has sent something since the handler last waited for it in vain."""
        for each in reversed(self._events):
            for kind in reversed(each.kinds()) if isinstance(each, Block) else (each.kind,):
                if kind in (Kind.UP, Kind.TIMEOUT):
                    return kind == Kind.UP
        return False

    def close(self, time: float, ending: Ending | None = None) -> None:
        """Note the end, once; without an ending it is the server's doing unless the client's was seen."""
        if self._closed is not None:
            return
        if ending is None and self._recorder.was_stopped_at(time) and not self._has_half_closed:
            ending = Ending.STOPPED
        self._ending = self._ending or ending
        self._closed = time

    @property
    def is_closed(self) -> bool:
        """Return whether the end has been noted."""
        return self._closed is not None

    @property
    def has_failed(self) -> bool:
        """Return whether an error of the handler has been noted."""
        return self._error is not None

    def fail(self, error: BaseException) -> None:
        """Keep the error that ended the handler: the first one."""
        self._error = self._error or error

    def ended_by_stop(self) -> bool:
        """Return whether the handler was made to see that the server stops."""
        return self._has_seen_stop

    def append(self, entry: Event | Block) -> None:
        """Take over what a forked child has told."""
        self._log.append(entry)
        if isinstance(entry, Event):
            self._held += len(entry.data) + OVERHEAD
            if self._held > STEP:
                self._account()

    def _account(self) -> None:
        """Tell the recorder what is held in memory."""
        size, self._held = self._held, 0
        self._recorder.hold(self, size)

    def spill(self, spool: Spool) -> None:
        """Move the events from memory to a file. Not from two threads at a time."""
        while True:
            entries = self._events
            start = next((n for n, each in enumerate(entries) if not isinstance(each, Block)), len(entries))
            moving = [each for each in takewhile(_is_in_memory, entries[start:]) if not isinstance(each, Block)]
            if not moving:
                break
            block = spool.extend(self.index, map(_to_write, moving))
            self._log[start : start + len(moving)] = [block]
        self._latest = None
        self._arena.leave()


def _is_in_memory(entry: Event | Kept | Block) -> bool:
    return not isinstance(entry, Block)


def _to_write(entry: Event | Kept) -> tuple[float, int, bytes | memoryview]:
    return entry if isinstance(entry, Event) else (entry.time, entry.kind, entry.view)
