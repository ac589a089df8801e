"""Reading a Unix stream with descriptors in it: each at its byte, however the bytes were sent, piled up and read."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers.helpers import only_linux
from windsock.net.ancillary import Descriptors
from windsock.net.unix_reader import UnixReader

pytestmark = only_linux

MESSAGES = st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.integers(0, 3)), min_size=1, max_size=12)
SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=5)


def read_all(reader: UnixReader, sizes: list[int]) -> Iterator[tuple[int, int, bytes]]:
    """Each piece: its offset, how many descriptors have come with it, and its bytes."""
    memory = memoryview(bytearray(64))
    offset = number = 0
    while True:
        size = reader.recv_into(memory[: sizes[number % len(sizes)]])
        found, reader.descriptors = reader.descriptors, None
        if not size:
            return
        yield offset, 0 if found is None else len(found), bytes(memory[:size])
        if found is not None:
            found.close()
        offset += size
        number += 1


@settings(max_examples=200)
@given(MESSAGES, SIZES)
def test_each_descriptor_comes_with_its_byte(messages: list[tuple[bytes, int]], sizes: list[int]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        expected = {}
        offset = 0
        for data, count in messages:
            socket.send_fds(theirs, [data], [0] * count) if count else theirs.sendall(data)
            if count:
                expected[offset] = count
            offset += len(data)
        theirs.close()

        pieces = list(read_all(UnixReader(ours), sizes))

        assert {at: count for at, count, _ in pieces if count} == expected
        assert b"".join(data for _, _, data in pieces) == b"".join(data for data, _ in messages)


def test_a_whole_message_comes_with_its_descriptor() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"before")
        socket.send_fds(theirs, [b"message"], [0])
        theirs.sendall(b"behind")
        theirs.close()

        assert list(read_all(UnixReader(ours), [64])) == [(0, 0, b"before"), (6, 1, b"message"), (13, 0, b"behind")]


def test_without_room_for_descriptors_the_bytes_come_and_the_loss_is_known() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(theirs, [b"message"], [0])
        theirs.close()
        reader = UnixReader(ours)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
        try:
            pieces = list(read_all(reader, [64]))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

        assert b"".join(data for _, _, data in pieces) == b"message"
        assert reader.lost


def test_descriptors_nobody_has_taken_are_closed() -> None:
    reader, writer = os.pipe()
    taken = Descriptors([writer])
    copy = taken.copy()
    taken.close()
    taken.close()
    del copy
    assert os.read(reader, 1) == b""
    os.close(reader)


@pytest.mark.parametrize(("count", "words"), [(1, "1 descriptor"), (2, "2 descriptors")])
def test_descriptors_say_how_many_they_are(count: int, words: str) -> None:
    made = Descriptors(os.dup(0) for _ in range(count))
    assert str(made) == words
    made.close()
