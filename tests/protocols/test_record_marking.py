"""Record marking: messages on a stream, in fragments."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.vectors import V4, V5, V8
from windsock.errors import UsageError
from windsock.protocols.record_marking import RecordReader, RecordTooLong, mark_record
from windsock.protocols.xdr import DecodeError


def records_of(reader: RecordReader, *pieces: bytes) -> list[bytes]:
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (record := reader.next_record()) is not None:
            found.append(record)
    return found


@pytest.mark.parametrize("data", [V4, V5, V8])
def test_a_record_cut_at_every_byte_is_the_same_record(data: bytes) -> None:
    for at in range(len(data) + 1):
        assert records_of(RecordReader(), data[:at], data[at:]) == [data[4:]]
    assert records_of(RecordReader(), *(bytes([each]) for each in data)) == [data[4:]]
    assert mark_record(data[4:]) == data


@given(st.lists(st.tuples(st.binary(max_size=30), st.integers(1, 40)), max_size=5), st.data())
def test_records_in_any_fragments_and_any_pieces_are_the_same_records(
    sent: list[tuple[bytes, int]], data: st.DataObject
) -> None:
    stream = b"".join(mark_record(record, size) for record, size in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    reader = RecordReader(30)

    assert records_of(reader, *pieces) == [record for record, _ in sent]
    assert not reader.is_unfinished
    assert reader.offset == len(stream)


def test_a_record_is_written_in_fragments_of_a_size() -> None:
    assert mark_record(b"abcde", 2) == b"\0\0\0\2ab\0\0\0\2cd\x80\0\0\1e"
    assert mark_record(b"abcd", 2) == b"\0\0\0\2ab\x80\0\0\2cd"
    assert mark_record(b"", 2) == b"\x80\0\0\0"


@pytest.mark.parametrize("size", [0, 2**31, True, 1.5])
def test_a_fragment_size_that_cannot_be_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match="expected the most bytes of a fragment"):
        mark_record(b"abc", size)


@pytest.mark.parametrize("limit", [-1, None, 1.5])
def test_a_limit_that_cannot_be_is_refused(limit: int) -> None:
    with pytest.raises(UsageError, match="expected the most bytes of a record"):
        RecordReader(limit)


def test_fragments_without_a_byte_are_allowed_anywhere_in_a_record() -> None:
    assert records_of(RecordReader(), bytes(4) + b"\0\0\0\2ab" + bytes(4) + b"\x80\0\0\0") == [b"ab"]


def test_fragments_without_a_byte_and_without_end_are_an_error() -> None:
    reader = RecordReader()
    reader.feed(bytes(4) * 2000)

    for _ in range(2):  # and again at each call
        with pytest.raises(DecodeError, match="offset 4000, record mark: more than 1000 fragments without a byte"):
            reader.next_record()


def test_the_count_of_fragments_without_a_byte_is_of_one_record() -> None:
    one = bytes(4) * 900 + b"\x80\0\0\1x"

    assert records_of(RecordReader(), one, one) == [b"x", b"x"]


@pytest.mark.parametrize("mark", [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"], ids=["last", "not last"])
def test_a_record_over_the_limit_is_refused_before_anything_is_allocated(mark: bytes) -> None:
    reader = RecordReader(limit=1000)
    reader.feed(mark)
    tracemalloc.start()
    try:
        with pytest.raises(
            RecordTooLong, match="a record of 2147483647 bytes or more, over the limit of 1000"
        ) as found:
            reader.next_record()
        allocated = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (found.value.value, found.value.limit) == (2147483647, 1000)
    assert allocated < 100_000


def test_the_limit_is_on_the_sum_of_the_fragments() -> None:
    reader = RecordReader(limit=5)
    reader.feed(b"\0\0\0\3abc\x80\0\0\3")

    with pytest.raises(RecordTooLong, match="offset 7, record mark: a record of 6 bytes"):
        reader.next_record()


def test_a_record_before_a_bad_one_is_read() -> None:
    reader = RecordReader(limit=5)
    reader.feed(b"\x80\0\0\2ok" + b"\xff" * 4)

    assert reader.next_record() == b"ok"
    with pytest.raises(RecordTooLong):
        reader.next_record()


@pytest.mark.parametrize("size", range(1, 9))
def test_a_stream_that_ends_within_a_record_is_unfinished(size: int) -> None:
    reader = RecordReader()

    assert records_of(reader, mark_record(b"abcde")[:size]) == []
    assert reader.is_unfinished
