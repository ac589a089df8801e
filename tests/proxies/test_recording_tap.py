"""What a proxy writes down stays what it was, whatever its memory is used for afterwards."""

from __future__ import annotations

import pytest

from windsock.proxies.recording_tap import ClientNotes, UpstreamNotes
from windsock.recording import Recorder

SIZES = (1, 1000, 40_000, 65_536, 100_000, 300_000)


@pytest.mark.parametrize("first", SIZES)
@pytest.mark.parametrize("second", SIZES)
@pytest.mark.parametrize("kind", [ClientNotes, UpstreamNotes])
def test_what_was_noted_does_not_change_with_the_memory_that_it_was_received_into(
    kind: type[ClientNotes | UpstreamNotes], first: int, second: int
) -> None:
    recorder = Recorder()
    try:
        connection = recorder.open(("127.0.0.1", 1))
        notes = kind(connection)
        memory = memoryview(bytearray(max(SIZES)))
        expected = b""
        for number, size in enumerate((first, second, 10, first, second)):
            memory[:size] = bytes([number + 1]) * size
            notes.passed(memory[:size])
            expected += bytes([number + 1]) * size
        memory[:] = bytes(len(memory))

        found = connection.upstream if kind is ClientNotes else connection.downstream
        assert bytes(found) == expected
    finally:
        recorder.close()
