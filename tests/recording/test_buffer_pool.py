"""Memory for large chunks: used again, never while somebody still reads it, and never seen from outside."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recording.helpers import note, recording, requests_of
from tests.support.processes import ended_well, forked
from tests.support.waiting import DEADLINE
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.recording.store.buffer_pool import (
    MAPPING,
    POOL,
    POOLED,
    SEGMENT,
    Buffer,
    BufferedEvent,
    BufferPool,
    ConnectionBuffers,
)
from windsock.recording.store.log import FIRST_LARGE, LARGE
from windsock.recording.store.spill_file import PIECE, Event, SpilledEvents, SpillFile

MIB = 1 << 20
SIZES = (0, 1, LARGE - 1, LARGE, LARGE + 1, 64 * 1024, PIECE - 1, PIECE, PIECE + 1, SEGMENT, 2 * PIECE + 7)


def warm_up(connection: Connection) -> bytes:
    """Have large chunks go to segments from now on; return what was noted for that."""
    data = os.urandom(FIRST_LARGE)
    note(connection, b">" + data)
    return data


def kept(connection: Connection) -> list[BufferedEvent]:
    return [each for each in connection._events if isinstance(each, BufferedEvent)]


def fill(arena: ConnectionBuffers, value: bytes, size: int) -> list[BufferedEvent]:
    """Keep so many bytes, in pieces."""
    return [arena.keep(0.0, Kind.UP, value * PIECE) for _ in range(size // PIECE)]


# --- segments


def test_a_segment_is_used_again_with_the_last_reference_to_it() -> None:
    pool = BufferPool()
    first = pool.take()
    memory, left = first.memory, len(pool)

    del first

    assert len(pool) == left + 1
    assert pool.take().memory is memory


def test_two_takers_never_have_the_same_segment() -> None:
    pool = BufferPool()

    taken = [pool.take() for _ in range(3 * MAPPING // SEGMENT)]

    for number, each in enumerate(taken):
        each.memory[:] = bytes([number]) * SEGMENT
    assert [bytes(each.memory[:1]) for each in taken] == [bytes([number]) for number in range(len(taken))]


def test_a_pool_keeps_no_more_than_so_many() -> None:
    pool = BufferPool()
    taken = [pool.take() for _ in range(POOLED + 20)]

    taken.clear()

    assert len(pool) == POOLED


def test_chunks_lie_behind_one_another_and_never_across_two_segments() -> None:
    arena = ConnectionBuffers(BufferPool())

    found = [arena.keep(0.0, Kind.UP, bytes([n]) * 200_000) for n in range(5)]

    assert [each.at for each in found] == [0, 200_000, 0, 200_000, 0]
    assert [each.data for each in found] == [bytes([n]) * 200_000 for n in range(5)]


def test_what_is_kept_stays_while_the_pool_is_in_use_by_others() -> None:
    pool = BufferPool()
    mine = fill(ConnectionBuffers(pool), b"m", 2 * MIB)

    for _ in range(20):
        fill(ConnectionBuffers(pool), b"x", 4 * MIB)

    assert {each.data for each in mine} == {b"m" * PIECE}


def test_threads_do_not_write_into_each_others_chunks() -> None:
    arena = ConnectionBuffers(BufferPool())
    found: list[tuple[bytes, BufferedEvent]] = []

    def keep(number: int) -> None:
        for n in range(200):
            data = bytes([number, n]) * 5000
            found.append((data, arena.keep(0.0, Kind.UP, data)))

    threads = [threading.Thread(target=keep, args=[number]) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(DEADLINE)

    assert len(found) == 800
    assert all(event.data == data for data, event in found)


def test_a_forked_child_begins_with_an_empty_pool() -> None:
    pool = BufferPool()
    segments = [pool.take()]
    segments.clear()
    assert len(pool)

    def look() -> None:
        assert len(pool) == len(POOL) == 0

    assert ended_well(forked(look))


def test_a_forked_child_does_not_write_to_its_parents_segments() -> None:
    arena = ConnectionBuffers(BufferPool())
    mine = arena.keep(0.0, Kind.UP, b"parent" * 1000)

    def write() -> None:
        mine.segment.memory[:] = bytes(SEGMENT)
        theirs = arena.keep(0.0, Kind.UP, b"child" * 1000)
        assert theirs.data == b"child" * 1000

    assert ended_well(forked(write))
    assert mine.data == b"parent" * 1000


def test_a_segment_that_a_child_lets_go_of_is_not_handed_out_there() -> None:
    pool = BufferPool()
    segments: list[Buffer] = [pool.take()]

    def let_go() -> None:
        segments.clear()
        assert len(pool) == 0

    assert ended_well(forked(let_go))


# --- connections


def test_small_chunks_and_a_connections_first_large_ones_take_no_segment() -> None:
    with recording() as (_, connection):
        note(connection, b">" + bytes(LARGE - 1), b">" + bytes(FIRST_LARGE), b"<" + bytes(LARGE - 1))

        assert all(isinstance(each, Event) for each in connection._events)


def test_a_recording_that_is_dropped_gives_its_segments_back() -> None:
    with recording() as (_, connection):
        warm_up(connection)
        note(connection, *[b">" + bytes(PIECE)] * 8)
        memory = {id(each.segment.memory.obj) for each in kept(connection)}
        before = len(POOL)
    del connection, _

    assert memory
    assert len(POOL) >= min(POOLED, before + 4)


def test_a_reader_that_holds_a_connection_keeps_its_bytes() -> None:
    with recording() as (_, connection):
        first = warm_up(connection)
        data = os.urandom(MIB)
        note(connection, b">" + data)

    for _number in range(10):
        with recording() as (_, other):
            warm_up(other)
            note(other, *[b">" + bytes(PIECE)] * 16)
            del other

    assert connection.upstream == first + data


def test_an_echo_of_the_very_same_bytes_shares_their_place() -> None:
    with recording() as (_, connection):
        first = warm_up(connection)
        data = os.urandom(LARGE)
        connection.note(Kind.UP, data)
        connection.note(Kind.DOWN, data)
        connection.note(Kind.DOWN, bytes(bytearray(data)))

        up, down, copy = kept(connection)
        assert (down.segment, down.at) == (up.segment, up.at)
        assert copy.at != up.at
        assert connection.upstream == first + data
        assert connection.downstream == data + data


def test_what_was_retracted_of_an_echo_still_came() -> None:
    with recording() as (_, connection):
        first = warm_up(connection)
        data = os.urandom(2 * LARGE)
        connection.note(Kind.UP, data)
        connection.note(Kind.DOWN, data)
        connection.retract(LARGE + 1)

        assert connection.upstream == first + data
        assert connection.downstream == data[: LARGE - 1]


def test_the_latest_bytes_are_let_go_of_when_the_connection_ends() -> None:
    with recording() as (_, connection):
        warm_up(connection)
        note(connection, b">" + bytes(LARGE))
        assert connection._latest is not None

        note(connection, Kind.CLOSE)
        assert connection._latest is None


@pytest.mark.parametrize(
    ("events", "ending"),
    [([Kind.TIMEOUT, b">" + bytes(LARGE), Kind.CLOSE], "server close"), ([Kind.TIMEOUT, Kind.CLOSE], "timeout")],
)
def test_a_kept_chunk_was_heard(events: list[int | bytes], ending: str) -> None:
    with recording() as (_, connection):
        warm_up(connection)
        note(connection, *events)

        assert connection.ending == ending


def test_requests_are_cut_out_of_kept_chunks() -> None:
    with recording() as (_, connection):
        warm_up(connection)
        lines = [os.urandom(3 * LARGE).replace(b"\n", b" ") + b"\n" for _ in range(4)]
        note(connection, b">\n", b">" + b"".join(lines), b"<done")

        found = [each.data for each in requests_of(connection, "lines")]

    assert found[-4:] == lines


# --- whatever the sizes are, whether kept or spilled

CHUNKS = st.lists(st.tuples(st.sampled_from([Kind.UP, Kind.DOWN]), st.sampled_from(SIZES), st.booleans()), max_size=14)


@settings(max_examples=60)
@given(chunks=CHUNKS, spilled_before=st.integers(0, 14), cut=st.integers(0, 2_000_000), length=st.integers(0, MIB))
def test_kept_and_spilled_chunks_read_alike(
    chunks: list[tuple[int, int, bool]], spilled_before: int, cut: int, length: int
) -> None:
    expected: list[tuple[int, bytes]] = []
    spill_file = SpillFile()
    with recording() as (_, connection):
        for number, (kind, size, is_echo) in enumerate(chunks):
            if number == spilled_before:
                connection.spill(spill_file)
            data = expected[-1][1] if expected and is_echo else os.urandom(size)
            connection.note(kind, data)
            expected.append((kind, data))

        assert any(isinstance(each, SpilledEvents) for each in connection._events) == (0 < spilled_before < len(chunks))
        for kind in (Kind.UP, Kind.DOWN):
            whole = b"".join(data for each, data in expected if each == kind)
            assert b"".join(event.data for event in connection.events() if event.kind == kind) == whole
            assert b"".join(event.data for event in connection.settled() if event.kind == kind) == whole
            assert connection.read(kind) == whole
            assert connection.read(kind, cut, cut + length) == whole[cut : cut + length]
        count = sum(1 for _ in connection.events())
        assert [sum(1 for _ in connection.events(start)) for start in range(count + 1)] == list(range(count, -1, -1))
