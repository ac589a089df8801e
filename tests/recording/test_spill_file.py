"""The spool: records of several processes in one file, whole ones found whatever is torn."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windsock.recording.store.spill_file import FOOTER_SIZE, HEADER_SIZE, Event, SpillFile


@pytest.fixture
def spill_file(nothing_is_left: None) -> Iterator[SpillFile]:
    spill_file = SpillFile()
    yield spill_file
    spill_file.close()


def read(spill_file: SpillFile) -> list[tuple[int, bytes]]:
    return [(connection, event.data) for connection, event, _ in spill_file.read(0, spill_file.size())]


def tear(spill_file: SpillFile, size: int, data: bytes = b"torn data") -> None:
    """Leave only the first bytes of a record behind, as a process does that is killed while it writes."""
    start = spill_file.size()
    spill_file.append(9, Event(1.0, 0, data))
    os.ftruncate(spill_file._file, start + size)


def test_events_come_back_as_they_were(spill_file: SpillFile) -> None:
    events = [Event(0.25, 0, b"up"), Event(0.5, 1, b""), Event(1.75, 8, os.urandom(1000))]
    for number, event in enumerate(events):
        spill_file.append(number, event)

    assert [(connection, event) for connection, event, _ in spill_file.read(0, spill_file.size())] == list(
        enumerate(events)
    )


@pytest.mark.parametrize("size", range(1, HEADER_SIZE + len(b"torn data") + FOOTER_SIZE))
def test_a_torn_record_does_not_harm_the_next(spill_file: SpillFile, size: int) -> None:
    spill_file.append(1, Event(1.0, 0, b"before"))
    tear(spill_file, size)
    assert read(spill_file) == [(1, b"before")]

    spill_file.append(2, Event(2.0, 0, b"behind"))
    spill_file.append(3, Event(2.0, 0, b"last"))
    assert read(spill_file) == [(1, b"before"), (2, b"behind"), (3, b"last")]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.binary(max_size=50), st.one_of(st.none(), st.integers(1, 80))), max_size=12))
def test_whole_records_are_found_between_torn_ones(
    spill_file: SpillFile, records: list[tuple[bytes, int | None]]
) -> None:
    os.ftruncate(spill_file._file, 0)
    for data, torn in records:
        if torn is None:
            spill_file.append(0, Event(1.0, 0, data))
        else:
            tear(spill_file, min(torn, HEADER_SIZE + len(data) + FOOTER_SIZE - 1), data)

    assert read(spill_file) == [(0, data) for data, torn in records if torn is None]


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 0), (2000, 3), (20, 100_000), (3, 300_000)])
def test_many_events_are_written_at_once_and_read_as_one_block(spill_file: SpillFile, count: int, size: int) -> None:
    spill_file.append(1, Event(0.5, 1, b"before"))
    events = [Event(float(number), number % 3, os.urandom(size)) for number in range(count)]

    block = spill_file.extend(7, events)

    assert list(block.events()) == events
    assert block.kinds() == [event.kind for event in events]
    assert (block.count, block.up, block.down) == (count, (count + 2) // 3 * size, (count + 1) // 3 * size)


def test_what_one_write_does_not_take_goes_with_the_next(
    spill_file: SpillFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_a_part(file: int, parts: list[bytes]) -> int:
        return os.write(file, b"".join(parts)[:1000])

    events = [Event(1.0, 0, os.urandom(700)) for _ in range(5)]
    with monkeypatch.context() as patched:
        patched.setattr("windsock.recording.store.spill_file.os.writev", write_a_part)
        block = spill_file.extend(7, events)

    assert list(block.events()) == events


def test_a_record_that_is_still_being_written_is_read_later(spill_file: SpillFile) -> None:
    spill_file.append(0, Event(1.0, 0, b"a record"))
    whole = os.pread(spill_file._file, spill_file.size(), 0)
    os.ftruncate(spill_file._file, 0)

    os.write(spill_file._file, whole[:30])
    assert read(spill_file) == []
    os.write(spill_file._file, whole[30:])
    assert read(spill_file) == [(0, b"a record")]


def test_its_file_has_no_name_and_goes_with_it() -> None:
    spill_file = SpillFile()
    spill_file.append(0, Event(1.0, 0, b"x"))
    descriptor = spill_file._file
    assert os.fstat(descriptor).st_nlink == 0

    spill_file.close()
    spill_file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
