"""The shortest run that a pattern accepts is found without trying each length."""

from __future__ import annotations

import re
from typing import Any

import pytest

from windsock.scripts.shortest_match import most_of, shortest


class Counted:
    """Bytes for a predicate that counts how often it was asked, and about how many bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.sizes: list[int] = []

    def __call__(self, data: bytes) -> bool:
        self.sizes.append(len(data))
        return len(data) == self.size


@pytest.mark.parametrize("size", [1, 2, 3, 1000, 16000])
def test_a_long_run_is_found(size: int) -> None:
    data = b"a" * (size - 1) + b"b" * 400

    assert shortest(re.compile(rb"(?:a|c)*b+"), data, 0) == size
    assert shortest(re.compile(rb"(?s).*b"), data, 0) == size


def test_what_has_been_tried_is_not_tried_again() -> None:
    predicate = Counted(8)

    assert shortest(predicate, b"x" * 5, 3) is None
    assert shortest(predicate, b"x" * 10, 5) == 8
    assert predicate.sizes == [4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("source", "data", "size"),
    [
        (rb"a+$", b"aa", 1),
        (rb"a\b.?", b"ab", 1),
        (rb"a\B.?", b"a", None),
        (rb"ab?(?!c)", b"abc", 1),
        (rb"a(?=b).", b"ab", 2),
        (rb"(?>ab|a)(?<=a)", b"ab", 1),
        (rb"a++b?", b"aab", 1),
        (rb"[+*]+\+", b"*++", 2),
        (rb"(?m)^a\n^b", b"a\nb", 3),
        (rb"(a)?(?(1)b|c)", b"ab", 2),
        (rb"(?<!x)ab", b"ab", 2),
    ],
)
def test_what_looks_ahead_or_never_back_is_tried_length_by_length(source: bytes, data: bytes, size: int | None) -> None:
    assert shortest(re.compile(source), data, 0) == size


@pytest.mark.parametrize("what", [re.compile(rb"a\b"), re.compile(rb"a$"), re.compile(rb"(?=a)a")])
def test_patterns_that_take_long_are_tried_on_less(what: Any) -> None:
    assert most_of(what) < most_of(re.compile(rb"a+b"))
