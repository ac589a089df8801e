"""The events of one connection: stored at once, in memory or on disk, and read back piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from windsock.net.system import monotonic
from windsock.recording.events import Kind
from windsock.recording.null_recorder import NO_RECORDER, NullRecorder
from windsock.recording.store.buffer_pool import Buffer, BufferedEvent, ConnectionBuffers
from windsock.recording.store.spill_file import PIECE, Event, SpilledEvents, SpillFile
from windsock.recording.unsent import cuts_in, unsent_in, without
from windsock.recording.urgency import located

__all__ = ["FIRST_LARGE", "LARGE", "OVERHEAD", "Log"]

STEP = 64 * 1024
"""Bytes that a connection may hold before it reports to the recorder."""
LARGE = 4096
"""The size in bytes from which on a chunk goes to reused memory..."""
FIRST_LARGE = 64 * 1024
"""...except for this many bytes of a connection's first large ones, so that not every connection needs a buffer."""
OVERHEAD = 192
"""Bytes of memory that an event takes besides its data."""


class Log:
    """The events of one connection, in order. A subclass interprets them: `apply`."""

    index: int
    shift = 0
    """What makes `index` a number that no other connection of its server ever has, for what children report."""
    held_in_memory = 0
    """Bytes in memory that were reported to the recorder; only for the recorder."""

    # Class attributes for what most connections never set, which makes creating one cheaper.
    _latest: tuple[bytes, BufferedEvent] | None = None
    _first_large = 0
    _held = 0
    _retracted: frozenset[int] = frozenset()
    """The kinds of data of which some was retracted."""
    _has_urgent = False
    """Whether there are marks of urgent data, which `settled()` locates."""
    _has_blocks = False
    """Whether some entries stand for several events."""

    def __init__(self, recorder: NullRecorder) -> None:
        self._recorder = recorder
        self._log: list[Event | BufferedEvent | SpilledEvents] = []
        self._buffers = ConnectionBuffers()
        self._joined: dict[int, tuple[int, bytes]] = {}

    # --- reading

    @property
    def _events(self) -> list[Event | BufferedEvent | SpilledEvents]:
        """The current events."""
        log: list[Any] = list(self._log)
        return [Event._make(each) if type(each) is tuple else each for each in log]

    def read(self, kind: int, start: int = 0, end: int | None = None) -> bytes:
        """Return bytes `start` to `end` of one direction (`Kind.UP` or `Kind.DOWN`)."""
        self._recorder.catch_up()
        events = self._events
        if not all(isinstance(each, Event) for each in events):
            return b"".join(self._pieces(kind, start, end))
        count, joined = self._joined.get(kind, (-1, b""))
        if count != len(events):
            found = [each for each in events if isinstance(each, Event)]
            kept = without(found, cuts_in(found)) if kind in self._retracted else found
            joined = b"".join(each.data for each in kept if each.kind == kind)
            self._joined[kind] = (len(events), joined)
        return joined[start:end]

    def settled(self) -> Iterator[Event]:
        """Yield the events without retracted data.

        Data for the client is recorded before it is sent, so that it is recorded when the client has it.
        """
        events = without(self.events(), cuts_in(self.events()) if self._retracted else {})
        return located(events) if self._has_urgent else events

    @property
    def unsent(self) -> int:
        """The bytes at the end of the data for the client that were not sent."""
        return unsent_in(self.events()) if Kind.DOWN in self._retracted else 0

    def _pieces(self, kind: int, start: int, end: int | None) -> Iterator[bytes]:
        position = 0
        events: Iterator[Event | BufferedEvent] = self.settled()
        if kind not in self._retracted:
            position, events = self._events_from(kind, start)
        for event in events:
            if event.kind == kind:
                data = event.data
                if position + len(data) > start:
                    yield data[max(0, start - position) : None if end is None else max(0, end - position)]
                position += len(data)
                if end is not None and position >= end:
                    return

    def _events_from(self, kind: int, start: int) -> tuple[int, Iterator[Event | BufferedEvent]]:
        """Return the offset of the block with the start-th byte of that kind, and the events from there on."""
        position = passed = 0
        for each in self._events:
            size = (each.up if kind == Kind.UP else each.down) if isinstance(each, SpilledEvents) else start + 1
            if position + size > start:
                break
            position += size
            passed += each.count if isinstance(each, SpilledEvents) else 1
        return position, self._entries(passed)

    def kinds(self) -> Iterator[int]:
        """Give the kinds of the events, without reading their data."""
        self._recorder.catch_up()
        for each in self._events:
            yield from each.kinds() if isinstance(each, SpilledEvents) else (each.kind,)

    def events(self, start: int = 0) -> Iterator[Event]:
        """Yield the events from the start-th on, whether in memory or on disk."""
        return (each if isinstance(each, Event) else each.event() for each in self._entries(start))

    def _entries(self, start: int) -> Iterator[Event | BufferedEvent]:
        self._recorder.catch_up()
        log: list[Any] = self._log[start:]
        if not self._has_blocks:  # asked afterwards, since another thread may just be moving events
            yield from (Event._make(each) if type(each) is tuple else each for each in log)
            return
        seen = 0
        for each in self._events:
            if not isinstance(each, SpilledEvents):
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

    # --- for recorders

    def part(self) -> None:
        """Drop the reference to the recorder, which has nothing more to report: no cycle waits for the collector."""
        self._recorder = NO_RECORDER

    def note(self, kind: int, data: bytes = b"") -> None:
        """Record an event that happened now. From any thread, and from a forked child."""
        recorder = self._recorder
        size = len(data)
        if size >= LARGE and kind <= Kind.DOWN and not recorder.is_child:
            size = self._keep(monotonic(), kind, data, size)
        else:
            event: Any = (monotonic(), kind, data)  # a plain tuple: cheap, and not tracked by the collector
            if recorder.is_child:
                recorder.tell_parent(self.index + self.shift, Event._make(event))
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
        """Store large data where that is cheap; return how many bytes are held for it."""
        latest, self._latest = self._latest, None
        if latest is not None and latest[0] is data and kind == Kind.DOWN:  # an echo
            _, (_, _, segment, at, _) = latest
            self._log.append(BufferedEvent(time, kind, segment, at, size))
            return 0
        if size > PIECE:
            view = memoryview(data)
            self._log += [self._buffers.keep(time, kind, view[at : at + PIECE]) for at in range(0, size, PIECE)]
        elif self._first_large < FIRST_LARGE:
            self._first_large += size
            self._log.append(Event(time, kind, data))
        else:
            kept = self._buffers.keep(time, kind, data)
            self._log.append(kept)
            self._latest = data, kept
        return size

    def lend(self) -> tuple[Buffer, int, memoryview]:
        """Return memory of the recording to receive much data into: the arguments of `note_lent`, and a view.

        Not in forked children, and not from two threads at the same time.
        """
        segment, at = self._buffers.lend()
        return segment, at, segment.memory[at : at + PIECE]

    def note_lent(self, kind: int, segment: Buffer, at: int, size: int) -> None:
        """Record that the first `size` bytes of lent memory have just passed."""
        self._log.append(BufferedEvent(monotonic(), kind, segment, at, size))
        self._buffers.take_back(segment, at + size)
        self._latest = None
        self._held += size + OVERHEAD
        if self._held > STEP:
            self._account()
        if self._recorder.waiters:
            self._recorder.wake()

    def retract(self, size: int) -> None:
        """Record that the last `size` bytes for the client were not sent after all."""
        if size:
            self.note(Kind.RETRACT, b"%d" % size)

    def retract_up(self, size: int) -> None:
        """Record that the last `size` bytes from the client are the start of a TLS handshake."""
        if size:
            self.note(Kind.RETRACT_UP, b"%d" % size)

    def apply(self, event: Event) -> None:
        """Update the state from an event other than passing bytes. Must be overridden."""
        raise NotImplementedError

    def append(self, entry: Event | SpilledEvents) -> None:
        """Add an event that a forked child has reported."""
        self._has_blocks |= isinstance(entry, SpilledEvents)
        self._log.append(entry)
        if isinstance(entry, Event):
            self._held += len(entry.data) + OVERHEAD
            if self._held > STEP:
                self._account()

    def cut(self, count: int, began: float, rest: bytes) -> None:
        """Forget the first `count` events, except for `rest`, the start of a message that came at that time.

        To be called while the recorder keeps out other readers.
        """
        entries = 0
        for each in self._events:
            if count <= 0:
                break
            count -= each.count if isinstance(each, SpilledEvents) else 1
            entries += 1
        kept: list[Any] = [(began, Kind.UP, rest)] if rest else []
        self._log[:entries] = kept
        self._latest = None
        self._joined.clear()

    def _account(self) -> None:
        """Report the memory in use to the recorder."""
        size, self._held = self._held, 0
        self._recorder.hold(self, size)

    def spill(self, spill_file: SpillFile) -> None:
        """Move the events from memory to a file. Not from two threads at the same time."""
        while True:
            entries = self._events
            start = next((n for n, each in enumerate(entries) if not isinstance(each, SpilledEvents)), len(entries))
            moving = [each for each in takewhile(_is_in_memory, entries[start:]) if not isinstance(each, SpilledEvents)]
            if not moving:
                break
            block = spill_file.extend(self.index, map(_to_write, moving))
            self._has_blocks = True
            self._log[start : start + len(moving)] = [block]
        self._latest = None
        self._buffers.leave()


def _is_in_memory(entry: Event | BufferedEvent | SpilledEvents) -> bool:
    return not isinstance(entry, SpilledEvents)


def _to_write(entry: Event | BufferedEvent) -> tuple[float, int, bytes | memoryview]:
    return entry if isinstance(entry, Event) else (entry.time, entry.kind, entry.view)
