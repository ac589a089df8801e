"""Secrets in long streams: found wherever they are, in little memory."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator

from windsock import redaction
from windsock.redaction import MaskedStream
from windsock.redaction.stream import LONGEST

SECRET = b"hunt7zqXw"


def taken(stream: MaskedStream, sizes: Iterator[int], total: int) -> bytes:
    """Return all of a stream, in pieces of these sizes."""
    parts = []
    while total:
        parts.append(stream.take(min(total, next(sizes))))
        total -= len(parts[-1])
    return b"".join(parts)


def sizes(seed: int, most: int) -> Iterator[int]:
    draw = random.Random(seed)
    while True:
        yield draw.randint(1, most)


def pieces(data: bytes, lengths: Iterator[int]) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = next(lengths)
        yield data[at : at + size]
        at += size


def test_secrets_are_found_all_over_a_long_stream() -> None:
    draw = random.Random(7)
    filler = [b"x" * draw.randint(0, 40_000) for _ in range(60)]
    data = b"".join(each + b"\r\nPASS " + SECRET + b"\r\n" for each in filler)

    for seed in range(5):
        stream = MaskedStream(pieces(data, sizes(seed, 50_000)))
        shown = taken(stream, sizes(seed + 100, 30_000), len(data))
        assert shown == data.replace(SECRET, b"*" * len(SECRET))


def test_a_secret_as_long_as_can_be_is_found_and_what_follows_it_is_shown() -> None:
    secret = SECRET + b"y" * (LONGEST - 100)
    for ahead in range(0, 12 * LONGEST, LONGEST // 3):
        data = b"." * ahead + b"\r\nPASS " + secret + b"\r\nnext\r\n"
        shown = MaskedStream(pieces(data, sizes(ahead, 9000))).take(len(data))
        assert SECRET not in shown
        assert shown.endswith(b"*\r\nnext\r\n")


def test_after_a_secret_without_an_end_nothing_is_shown() -> None:
    data = b"\r\nPASS " + b"y" * 40 * LONGEST + SECRET + b"\r\n" + SECRET
    shown = taken(MaskedStream(pieces(data, sizes(1, 9000))), sizes(2, 5000), len(data))

    assert len(shown) == len(data)
    assert SECRET not in shown
    assert b"y" not in shown


def test_a_stream_that_ends_early_is_filled_up() -> None:
    stream = MaskedStream(iter([b"abc"]))

    assert stream.take(5) == b"abc**"
    assert stream.take(2) == b"**"


def test_a_long_stream_needs_little_memory() -> None:
    piece = b"x" * 65_000 + b"\r\nPASS " + SECRET + b"\r\n"
    stream = MaskedStream(piece for _ in range(400))
    stream.take(len(piece))

    tracemalloc.start()
    for _ in range(399):
        assert SECRET not in stream.take(len(piece))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 64 * LONGEST


def test_a_secret_that_was_found_in_traffic_is_masked_in_text_until_it_is_forgotten() -> None:
    stream = MaskedStream(iter([b"PASS " + SECRET + b"\r\n"]))
    stream.take(3)

    assert redaction.text("ValueError: hunt7zqXw is wrong") == "ValueError: ********* is wrong"
    redaction.forget()
    assert redaction.text("ValueError: hunt7zqXw is wrong") == "ValueError: hunt7zqXw is wrong"
