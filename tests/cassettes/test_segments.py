"""Segments of a stream that come late, twice, overlapping, or not at all."""

from __future__ import annotations

import random

import pytest

from windsock.cassettes.segments import StreamHalf

DATA = bytes(range(256))


@pytest.mark.parametrize("first", [0, 2**32 - 100])
def test_segments_in_any_order_make_the_stream(first: int) -> None:
    for seed in range(20):
        draw = random.Random(seed)
        cuts = sorted(draw.sample(range(1, 256), 7))
        pieces = list(zip([0, *cuts], [*cuts, 256], strict=True))
        pieces += [(max(0, start - draw.randrange(20)), end) for start, end in draw.sample(pieces, 4)]  # sent again
        draw.shuffle(pieces)
        half = StreamHalf(first)

        found = [half.add((first + 1 + start) % 2**32, DATA[start:end], is_end=end == 256) for start, end in pieces]

        assert b"".join(found) == DATA, f"seed {seed}"
        assert half.has_ended
        assert not half.has_gap


def test_a_gap_is_noticed_in_front_of_data_and_of_the_end() -> None:
    half = StreamHalf(0)
    assert half.add(1, b"ab", is_end=False) == b"ab"
    assert not half.has_gap

    assert half.add(4, b"de", is_end=False) == b""
    assert half.has_gap
    assert half.add(3, b"c", is_end=False) == b"cde"
    assert not half.has_gap

    assert half.add(8, b"", is_end=True) == b""
    assert half.has_gap
    assert not half.has_ended


def test_what_was_there_before_is_not_there_again() -> None:
    half = StreamHalf(9)
    half.add(10, b"abc", is_end=False)

    assert half.add(12, b"c", is_end=False) == b""  # a probe that keeps the connection alive
    assert half.add(11, b"bcd", is_end=False) == b"d"
