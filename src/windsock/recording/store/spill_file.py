"""Events on disk: too large for memory, or reported by forked children."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from windsock.net.files import nameless_file
from windsock.net.system import os
from windsock.recording.events import Kind

__all__ = ["PIECE", "Event", "SpillFile", "SpilledEvents", "pieces"]

Buffer: TypeAlias = bytes | memoryview

BODY = struct.Struct("<IBdI")
"""Connection index, kind, monotonic seconds, size of the data."""
MAGIC_SIZE = 8
HEADER_SIZE = MAGIC_SIZE + BODY.size
FOOTER_SIZE = 8
PIECE = 256 * 1024
"""The most bytes of traffic in one event, so that reading a recording back needs little memory."""
ENOUGH = 256 * 1024
"""Bytes of data in one writev(2) of many records; with much more, the system takes longer to find room for it..."""
MOST_PARTS = 768
"""...and the most buffers, three for each record; writev(2) takes 1024."""


class Event(NamedTuple):
    """One event: monotonic seconds, a `Kind`, and data."""

    time: float
    kind: int
    data: bytes


def pieces(event: Event) -> list[Event]:
    """Split an event with much data into several with the same time."""
    data = event.data
    if len(data) <= PIECE or event.kind > Kind.DOWN:
        return [event]
    return [event._replace(data=data[at : at + PIECE]) for at in range(0, len(data), PIECE)]


@dataclass(frozen=True, slots=True)
class SpilledEvents:
    """A run of events of one connection in a spill file, from one offset to another."""

    spill_file: SpillFile
    start: int
    end: int
    count: int
    up: int
    """Bytes of data from the client."""
    down: int
    """Bytes of data to the client, including what was retracted later."""

    def kinds(self) -> list[int]:
        """Return the kinds of the events, in order."""
        return [kind for _, _, kind, _, _ in self.spill_file.scan(self.start, self.end)]

    def events(self) -> Iterator[Event]:
        """Read the events back, one by one."""
        return (event for _, event, _ in self.spill_file.read(self.start, self.end))


class SpillFile:
    """A nameless file of records that several processes append to, each record in one write(2).

    A process that is killed in the middle of a write leaves a torn record. Each record starts and ends with words that
    are random for this file, so that a reader recognizes a complete one and finds the next one.
    """

    def __init__(self) -> None:
        self._file = -1
        self._magic = os.urandom(MAGIC_SIZE)
        self._footer = os.urandom(FOOTER_SIZE)
        self._file = nameless_file("the recording", is_large=True)

    def __del__(self) -> None:
        self.close()

    def size(self) -> int:
        """Return how many bytes have been written by all processes."""
        return os.fstat(self._file).st_size

    def append(self, connection: int, event: Event) -> None:
        """Write an event as one record. Raises OSError if there is not enough room."""
        record = self._record(connection, *event)
        if os.writev(self._file, record) < sum(map(len, record)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def extend(self, connection: int, events: Iterable[tuple[float, int, bytes | memoryview]]) -> SpilledEvents:
        """Write many events of one connection in a few calls. Only for files that one process writes to."""
        start, count, totals = self.size(), 0, [0, 0]
        parts: list[Buffer] = []
        waiting = 0
        for time, kind, data in events:
            parts += self._record(connection, time, kind, data)
            waiting += len(data)
            count += 1
            if kind <= Kind.DOWN:
                totals[kind] += len(data)
            if waiting >= ENOUGH or len(parts) >= MOST_PARTS:
                self._write(parts)
                parts, waiting = [], 0
        if parts:
            self._write(parts)
        return SpilledEvents(self, start, self.size(), count, *totals)

    def _record(self, connection: int, time: float, kind: int, data: bytes | memoryview) -> tuple[Buffer, ...]:
        return self._magic + BODY.pack(connection, kind, time, len(data)), data, self._footer

    def _write(self, parts: list[Buffer]) -> None:
        """Write everything, or raise: a full file may take a part."""
        written = os.writev(self._file, parts)
        if written < sum(map(len, parts)):
            rest = b"".join(parts)[written:]
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def read(self, start: int, end: int) -> Iterator[tuple[int, Event, int]]:
        """Yield (connection, event, offset after it) for each complete record in a range of the file."""
        for connection, time, kind, at, size in self.scan(start, end):
            data = os.pread(self._file, size, at)
            yield connection, Event(time, kind, data), at + size + FOOTER_SIZE

    def scan(self, start: int, end: int) -> Iterator[tuple[int, float, int, int, int]]:
        """Yield (connection, time, kind, offset of the data, its size) for each complete record; read no data."""
        position = start
        header = self._header(position, end)
        while len(header) == HEADER_SIZE:
            connection, kind, time, size = BODY.unpack_from(header, MAGIC_SIZE)
            at = position + HEADER_SIZE
            behind = at + size + FOOTER_SIZE
            found = b""
            if behind <= end and header.startswith(self._magic):
                found = os.pread(self._file, FOOTER_SIZE + min(HEADER_SIZE, end - behind), at + size)
            if found.startswith(self._footer):
                yield connection, time, kind, at, size
                position, header = behind, found[FOOTER_SIZE:]
            else:
                position = self._next_record(position + 1, end)  # none: a process may still be writing this one
                header = self._header(position, end)

    def _header(self, position: int, end: int) -> bytes:
        return os.pread(self._file, max(0, min(HEADER_SIZE, end - position)), position)

    def data(self, at: int, size: int) -> bytes:
        """Return the data that `scan` found."""
        return os.pread(self._file, size, at)

    def close(self) -> None:
        """Close the file, which deletes its contents. Idempotent; happens with the last reference too."""
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _next_record(self, position: int, end: int) -> int:
        """Return where the next record after a torn one starts, or `end`."""
        while position < end:
            piece = os.pread(self._file, min(PIECE, end - position), position)
            found = piece.find(self._magic)
            if found >= 0:
                return position + found
            position += max(1, len(piece) - MAGIC_SIZE + 1)
        return end
