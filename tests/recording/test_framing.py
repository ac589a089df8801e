"""Framing: where a message ends. No I/O."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import windsock
from windsock.protocols import http
from windsock.recording import (
    AsItArrives,
    Cutter,
    Delimiter,
    FixedSize,
    Framing,
    LengthPrefix,
    Lines,
    ProtocolFraming,
    UntilEof,
    framing_from,
)


def cut(framing: Framing, *arrivals: bytes) -> list[bytes]:
    """Return the messages in bytes that arrive like that."""
    cutter = Cutter(framing)
    found = []
    for data in arrivals:
        cutter.feed(data)
        while (message := cutter.cut()) is not None:
            found.append(message)
    return found


def two_byte_length(data: bytes) -> int | None:
    """A function as a framing: says the size before all of it is there."""
    return 2 + int.from_bytes(data[:2], "big") if len(data) >= 2 else None


@pytest.mark.parametrize(
    ("framing", "data", "messages"),
    [
        (Lines(), b"one\r\ntwo\n\nrest", [b"one\r\n", b"two\n", b"\n"]),
        (Delimiter(b"\0"), b"a\0b\0c", [b"a\0", b"b\0"]),
        (Delimiter(b"\r\n.\r\n"), b"a\r\n.\r\nb\r\n.\r", [b"a\r\n.\r\n"]),
        (FixedSize(3), b"abcdefgh", [b"abc", b"def"]),
        (LengthPrefix(2), b"\0\3abc\0\0\0\2d", [b"\0\3abc", b"\0\0"]),
        (LengthPrefix(2, "little"), b"\3\0abcd", [b"\3\0abc"]),
        (LengthPrefix(1, includes_prefix=True), b"\4abc\1\2x", [b"\4abc", b"\1", b"\2x"]),
        (UntilEof(), b"all of it", []),
        (two_byte_length, b"\0\2ab\0\1", [b"\0\2ab"]),
    ],
    ids=lambda each: getattr(each, "__name__", None) or repr(each),
)
def test_messages_are_cut_where_they_end(framing: Framing, data: bytes, messages: list[bytes]) -> None:
    assert cut(framing, data) == messages


FRAMINGS: list[Framing] = [
    Lines(),
    Delimiter(b"--"),
    Delimiter(b"aab"),
    FixedSize(5),
    LengthPrefix(1),
    LengthPrefix(2, "little"),
    UntilEof(),
    two_byte_length,
]


@given(
    framing=st.sampled_from(FRAMINGS),
    data=st.lists(st.sampled_from([b"a", b"b", b"-", b"\n", b"\0", b"\1", b"\3", b"\r"]), max_size=60).map(b"".join),
    places=st.lists(st.integers(0, 60), max_size=12),
)
def test_however_bytes_are_cut_on_their_way_the_messages_are_the_same(
    framing: Framing, data: bytes, places: list[int]
) -> None:
    ends = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    arrivals = [data[start:end] for start, end in itertools.pairwise(ends)]

    assert cut(framing, *arrivals) == cut(framing, data)
    assert data.startswith(b"".join(cut(framing, *arrivals)))


@given(sizes=st.lists(st.integers(0, 20_000), max_size=12), piece=st.integers(1, 9000))
def test_messages_longer_than_what_a_framing_is_shown_first_are_cut_right(sizes: list[int], piece: int) -> None:
    messages = [size.to_bytes(2, "big") + b"x" * size for size in sizes]
    data = b"".join(messages)

    assert cut(two_byte_length, *(data[at : at + piece] for at in range(0, len(data), piece))) == messages


def test_what_makes_no_message_is_left_over() -> None:
    cutter = Cutter(Lines())
    cutter.feed(b"whole\npart")

    assert (cutter.skip(), cutter.skip(), len(cutter)) == (6, None, 4)
    assert (cutter.rest(), len(cutter)) == (b"part", 0)


def test_a_long_message_is_not_searched_from_its_start_for_each_arrival() -> None:
    asked = 0

    def framing(data: bytes) -> int | None:
        nonlocal asked
        asked += 1
        return 4 + int.from_bytes(data[:4], "big") if len(data) >= 4 else None

    cutter = Cutter(framing)
    cutter.feed((1_000_000).to_bytes(4, "big"))
    for _ in range(1000):
        assert cutter.cut() is None
        cutter.feed(b"x" * 1000)

    assert len(cutter.cut() or b"") == 1_000_004
    assert asked <= 3


@pytest.mark.parametrize("size", [0, -1, "3", 2.0, True])
def test_a_framing_that_says_nonsense_is_named(size: Any) -> None:
    def nonsense(data: bytes) -> Any:
        return size

    with pytest.raises(windsock.UsageError) as caught:
        cut(nonsense, b"data")

    assert str(caught.value) == (
        f"framing {nonsense!r} returned {size!r} for b'data': expected None, or a size of 1 or more"
    )


def test_a_length_that_is_shorter_than_itself_is_named() -> None:
    with pytest.raises(windsock.FramingError) as caught:
        cut(LengthPrefix(4, includes_prefix=True), b"\0\0\0\3")

    assert str(caught.value) == (
        "byte 0: b'\\x00\\x00\\x00\\x03' does not start a message of framing "
        "LengthPrefix(size=4, byteorder='big', includes_prefix=True): "
        "the length 3 is shorter than the prefix itself; expected 4 or more"
    )


@pytest.mark.parametrize(
    ("word", "framing"),
    [
        (None, None),
        ("lines", Lines()),
        ("eof", UntilEof()),
        ("any", AsItArrives()),
        (b";", Delimiter(b";")),
        (512, FixedSize(512)),
        (Lines(), Lines()),
        (two_byte_length, two_byte_length),
    ],
)
def test_framings_have_short_spellings(word: object, framing: object) -> None:
    assert framing_from(word) == framing


@pytest.mark.parametrize(("make", "value"), [(LengthPrefix, (0,)), (LengthPrefix, (2, "middle")), (FixedSize, (0,))])
def test_a_framing_that_cannot_be_is_a_usage_error(make: Any, value: Any) -> None:
    with pytest.raises(windsock.UsageError, match="at least 1 byte"):
        make(*value)


LIMITED: list[Framing] = [Lines(limit=3), Delimiter(b"ab", limit=3), LengthPrefix(1, limit=3), UntilEof(limit=3)]


def outcome(framing: Framing, *arrivals: bytes) -> list[object]:
    """Return the messages, and whether one was too long."""
    cutter = Cutter(framing)
    found: list[object] = []
    try:
        for data in arrivals:
            cutter.feed(data)
            while (message := cutter.cut()) is not None:
                found.append(message)
    except windsock.MessageTooLong as error:
        found.append(error.limit)
    return found


@given(
    framing=st.sampled_from(LIMITED),
    data=st.lists(st.sampled_from([b"a", b"b", b"\n", b"\1", b"\3"]), max_size=12).map(b"".join),
)
def test_however_bytes_are_cut_the_same_message_is_too_long(framing: Framing, data: bytes) -> None:
    found = outcome(framing, data)

    assert outcome(framing, *(data[at : at + 1] for at in range(len(data)))) == found
    assert all(len(each) <= 3 for each in found if isinstance(each, bytes))


def test_a_message_may_be_as_long_as_its_limit() -> None:
    assert outcome(Lines(limit=3), b"ab\nabc\n") == [b"ab\n", 3]


@pytest.mark.parametrize("limit", [0, -1, None, "1", True])
@pytest.mark.parametrize(
    "make", [Lines, UntilEof, LengthPrefix, AsItArrives, lambda limit: Delimiter(b"x", limit=limit)]
)
def test_a_limit_that_cannot_be_is_a_usage_error(make: Any, limit: Any) -> None:
    with pytest.raises(windsock.UsageError, match=f"limit={limit!r}: expected the most bytes of a message"):
        make(limit=limit)


def test_a_function_says_its_limit_by_an_attribute() -> None:
    def framing(data: bytes) -> int | None:
        return data.find(b"!") + 1 or None

    framing.limit = 2  # type: ignore[attr-defined]  # that is how

    with pytest.raises(windsock.MessageTooLong) as caught:
        cut(framing, b"abc")

    assert (caught.value.size, caught.value.limit, caught.value.data) == (None, 2, b"abc")
    assert str(caught.value) == (
        f"byte 0: no end of the message within the limit of 2 bytes, framing {framing!r}; it begins with b'abc'\n"
        "(if a message may be that long, say framing.limit = ...)"
    )


def test_a_length_that_is_over_the_limit_is_told_at_once() -> None:
    with pytest.raises(windsock.MessageTooLong) as caught:
        cut(LengthPrefix(4), b"\xff\xff\xff\xff")

    assert (caught.value.size, caught.value.limit) == (2**32 + 3, 16 * 1024 * 1024)
    assert "a message of 4294967299 bytes, longer than the limit of 16777216 bytes" in str(caught.value)


def test_the_limit_of_a_protocol_is_its_own() -> None:
    with pytest.raises(windsock.MessageTooLong) as caught:
        cut(ProtocolFraming(http.HTTPProtocol(limit=10)), b"GET /a HTTP/1.1\r\nHost: a\r\n")

    assert str(caught.value).endswith("\n(if a message may be that long, give the protocol a larger limit)")
