"""A connection as it was recorded: what went out, how it ended, and that it stays small in memory. No I/O but files."""

from __future__ import annotations

import os
import threading
import tracemalloc
from collections.abc import Sequence

import pytest

from tests.recording.helpers import PEER, note, recording
from windsock import Direction, Ending
from windsock.recording import Recorder, exception_pickle
from windsock.recording.events import Kind
from windsock.recording.store.log import OVERHEAD
from windsock.recording.store.memory import MEMORY
from windsock.recording.store.spill_file import PIECE, Event, SpilledEvents

MIB = 1 << 20


@pytest.mark.parametrize(
    ("events", "ending"),
    [
        ([Kind.CLOSE], Ending.SERVER_CLOSE),
        ([b">x", Kind.HALF_CLOSE, Kind.CLOSE], Ending.SERVER_CLOSE),
        ([Kind.CLIENT_EOF, Kind.CLOSE], Ending.CLIENT_EOF),
        ([Kind.CLIENT_EOF, b"<x", Kind.CLIENT_RESET, Kind.CLOSE], Ending.CLIENT_RESET),
        ([Kind.CLIENT_RESET, Kind.CLIENT_EOF, Kind.CLOSE], Ending.CLIENT_RESET),
        ([Kind.TIMEOUT, Kind.CLOSE], Ending.TIMEOUT),
        ([Kind.TIMEOUT, b"<bye", Kind.HALF_CLOSE, Kind.CLOSE], Ending.TIMEOUT),
        ([Kind.TIMEOUT, b">late", b"<bye", Kind.CLOSE], Ending.SERVER_CLOSE),
        ([Kind.TIMEOUT, b">late", Kind.TIMEOUT, Kind.CLOSE], Ending.TIMEOUT),
        ([Kind.TIMEOUT, Kind.CLIENT_EOF, Kind.CLOSE], Ending.CLIENT_EOF),
        ([b">x"], None),
    ],
    ids=str,
)
def test_how_a_connection_ended_and_by_whom(events: Sequence[bytes | int], ending: Ending | None) -> None:
    with recording() as (_, connection):
        note(connection, *events)

        assert connection.ending is ending
        assert (connection.closed is None) == (ending is None)


@pytest.mark.parametrize(
    ("before", "after", "ending"),
    [
        ([], [Kind.CLOSE], Ending.STOPPED),
        ([], [Kind.CLIENT_EOF, Kind.CLOSE], Ending.STOPPED),
        ([], [Kind.CLIENT_RESET, Kind.CLOSE], Ending.STOPPED),
        ([Kind.CLIENT_EOF], [Kind.CLOSE], Ending.CLIENT_EOF),
        ([Kind.HALF_CLOSE], [Kind.CLOSE], Ending.SERVER_CLOSE),
        ([], [Kind.HALF_CLOSE, Kind.CLOSE], Ending.STOPPED),
        ([Kind.CLOSE], [], Ending.SERVER_CLOSE),
    ],
    ids=str,
)
def test_what_a_stop_has_ended_and_what_it_has_not(before: list[int], after: list[int], ending: Ending) -> None:
    with recording() as (recorder, connection):
        note(connection, *before)
        recorder.stop()
        note(connection, *after)

        assert connection.ending is ending


def test_a_chunk_is_what_one_call_took_or_gave() -> None:
    with recording() as (_, connection):
        note(connection, b">ab", b"<c", b">d")

        chunks = list(connection.chunks)

        assert [(each.direction, each.data) for each in chunks] == [
            (Direction.UPSTREAM, b"ab"),
            (Direction.DOWNSTREAM, b"c"),
            (Direction.UPSTREAM, b"d"),
        ]
        assert [each.time for each in chunks] == sorted(each.time for each in chunks)
        assert (connection.upstream, connection.downstream) == (b"abd", b"c")


def test_what_was_retracted_did_not_go_out() -> None:
    with recording() as (_, connection):
        note(connection, b"<first", b"<second", b">between", (Kind.RETRACT, b"4"), b"<third", (Kind.RETRACT, b"5"))

        assert connection.downstream == b"firstse"
        assert [each.data for each in connection.chunks] == [b"first", b"se", b"between"]


def test_what_was_retracted_whole_is_no_event_unlike_an_empty_reply() -> None:
    with recording() as (_, connection):
        note(connection, b"<gone", (Kind.RETRACT, b"4"), b"<", b"<stays")

        assert [each.data for each in connection.settled()] == [b"", b"stays"]


@pytest.mark.parametrize("gone", [1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5, 5 * PIECE])
def test_a_retraction_reaches_back_over_all_pieces_of_a_call(gone: int) -> None:
    with recording() as (_, connection):
        data = os.urandom(5 * PIECE)
        note(connection, b"<before", b"<" + data, (Kind.RETRACT, b"%d" % gone), b"<after")

        assert connection.downstream == b"before" + data[: len(data) - gone] + b"after"


def spill(recorder: Recorder) -> None:
    """Have all that follows, and what was before, go to the file."""
    for _ in range(MEMORY // PIECE + 1):
        recorder.open(PEER).note(Kind.UP, b"x" * PIECE)


def test_what_was_spilled_reads_as_before() -> None:
    with recording() as (recorder, connection):
        data = [os.urandom(300_000) for _ in range(12)]
        for number, each in enumerate(data):
            note(connection, b">" + each, b"<%d\n" % number)
            if number == 5:
                spill(recorder)

        assert any(isinstance(each, SpilledEvents) for each in connection._events)
        assert connection.upstream == b"".join(data)
        assert connection.downstream == b"".join(b"%d\n" % number for number in range(12))
        whole = b"".join(data)
        for start, end in [(0, 10), (299_990, 300_010), (1_000_000, 3_000_000), (3_500_000, None), (3_599_999, None)]:
            assert connection.read(Kind.UP, start, end) == whole[start:end]


def test_what_was_retracted_stays_so_when_it_is_spilled() -> None:
    with recording() as (recorder, connection):
        data = os.urandom(3 * PIECE)
        note(connection, b"<" + data, (Kind.RETRACT, b"%d" % (2 * PIECE)))
        spill(recorder)
        note(connection, b">" + bytes(PIECE), b"<end")

        assert connection.downstream == data[:PIECE] + b"end"


def in_memory(recorder: Recorder) -> int:
    held = [each for connection in recorder.connections for each in connection._events if isinstance(each, Event)]
    return sum(len(each.data) + OVERHEAD for each in held)


def test_small_events_are_spilled_before_they_fill_the_memory() -> None:
    with recording() as (recorder, connection):
        for _ in range(300_000):
            connection.note(Kind.UP, b"x")

        assert in_memory(recorder) <= MEMORY + MIB
        assert len(connection.upstream) == 300_000


@pytest.mark.timeout(240)  # tracemalloc, and coverage, have much to count
def test_a_childs_small_events_are_taken_over_with_little_memory() -> None:
    with recording() as (recorder, connection):
        recorder.prepare_for_fork()
        assert recorder._channel is not None
        assert recorder._channel.spill_file is not None
        for number in range(100_000):
            recorder._channel.spill_file.append(0, Event(float(number), Kind.UP, b"x"))
        tracemalloc.start()
        try:
            recorder.catch_up()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 4 * MIB
        assert len(connection.upstream) == 100_000
        assert sum(1 for _ in connection.events()) == 100_000


class Slow(Exception):
    """Takes its time to unpickle in the parent; in the child, where this is tried too, it does not."""

    begun, may_go_on = threading.Event(), threading.Event()
    is_parent = False

    def __reduce__(self) -> tuple[object, ...]:
        return take_time, ()


def take_time() -> Slow:
    if Slow.is_parent:
        Slow.begun.set()
        assert Slow.may_go_on.wait(10)
    return Slow()


def test_a_child_that_has_told_its_error_is_not_said_to_have_died_while_that_is_being_read() -> None:
    with recording() as (recorder, _):
        recorder.prepare_for_fork()
        recorder.tell_parent(0, Event(1.0, Kind.TAKEN, b"1234"))
        recorder.tell_parent(0, Event(2.0, Kind.ERROR, exception_pickle.pack(Slow())))
        Slow.is_parent = True
        reading = threading.Thread(target=recorder.catch_up)
        collecting = threading.Thread(target=recorder.child_exited, args=(1234, 1))

        reading.start()
        assert Slow.begun.wait(10)
        collecting.start()
        collecting.join(0.1)  # time to get it wrong
        Slow.may_go_on.set()
        for each in (reading, collecting):
            each.join(10)

        assert [type(error) for error in recorder.errors] == [Slow]


def test_reading_a_large_recording_back_takes_little_memory() -> None:
    with recording() as (_, connection):
        note(connection, b"<220 greeting")  # what may be retracted later holds nothing up
        for _ in range(256):
            connection.note(Kind.UP, bytes(PIECE))
        tracemalloc.start()
        try:
            size = sum(len(each.data) for each in connection.chunks)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert size == 256 * PIECE + len("220 greeting")
        assert peak < 4 * MIB


def test_an_open_connection_says_so() -> None:
    with recording() as (_, connection):
        assert repr(connection) == "<Connection #0 from 127.0.0.1:40000: open>"
        note(connection, Kind.CLIENT_EOF, Kind.CLOSE)
        assert repr(connection) == "<Connection #0 from 127.0.0.1:40000: client EOF>"
