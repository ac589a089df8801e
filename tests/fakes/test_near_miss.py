"""Nearest miss: which patterns a message came closest to, word for word."""

from __future__ import annotations

import re
from typing import Any

import pytest

from windsock.fakes.near_miss import Miss, miss, nearest
from windsock.protocols import http, redis
from windsock.recording import LengthPrefix, Lines

BYTES = [
    (b"HELO there", b"HELP me", "byte 3 is b'P', expected b'O'", 3),
    (b"HELO there", b"HELO", "the message ends at byte 4, b' there' is missing", 4),
    (b"HELO", b"HELO there", "the message continues at byte 4 with b' there'", 4),
    (b"HELO", b"\x00", "byte 0 is b'\\x00', expected b'H'", 0),
    (b"HELO", b"", "the message ends at byte 0, b'HELO' is missing", 0),
]


@pytest.mark.parametrize(("pattern", "message", "why", "common"), BYTES)
def test_bytes_say_where_they_differ(pattern: bytes, message: bytes, why: str, common: int) -> None:
    found = miss(pattern, message, None, is_whole=True)

    assert (found.why, found.common) == (why, common)


@pytest.mark.parametrize(
    ("framing", "message", "why"),
    [
        (Lines(), b"HELP\r\n", "byte 3 is b'P', expected b'O'"),
        (Lines(), b"HEL\r\n", "the message ends at byte 3, b'O' is missing"),
        (LengthPrefix(1), b"\x04HELP", "byte 3 is b'P', expected b'O'"),
    ],
)
def test_bytes_are_compared_without_the_frame_too(framing: Any, message: bytes, why: str) -> None:
    assert miss(b"HELO", message, framing, is_whole=True).why == why


REGEXES = [
    (
        rb"GET (\w+) HTTP",
        b"GET key FTP",
        False,
        "b'GET (\\\\w+) ' matches bytes 0 to 7, and what follows does not, from byte 8, b'F', on",
    ),
    (
        rb"QUIT\b",
        b"please QUITE",
        False,
        "b'QUIT' matches bytes 7 to 10, and what follows does not, from byte 11, b'E', on",
    ),
    (rb"QUIT\b", b"HELP", False, "no part of it was found anywhere"),
    (rb"QUIT\b", b"please QUITE", True, "no part of it was found at its beginning"),
    (rb"key=\d+", b"a key=", False, "b'key=' matches bytes 2 to 5, where the message ends"),
    (rb"x*[0-9]", b"xxxy", True, "b'x*' matches bytes 0 to 2, and what follows does not, from byte 3, b'y', on"),
]


@pytest.mark.parametrize(("pattern", "message", "is_at_start", "why"), REGEXES)
def test_an_expression_says_which_beginning_of_it_matches(
    pattern: bytes, message: bytes, is_at_start: bool, why: str
) -> None:
    assert miss(re.compile(pattern), message, None, is_whole=not is_at_start).why == why


def test_the_flags_of_an_expression_count() -> None:
    found = miss(re.compile(rb"get \d", re.IGNORECASE), b"GET x", None, is_whole=True)

    assert found.why == "b'get ' matches bytes 0 to 3, and what follows does not, from byte 4, b'x', on"


def test_a_predicate_says_no() -> None:
    assert miss(lambda data: False, b"x", None, is_whole=True).why == "returned false"


def test_the_closest_three_are_named_by_how_far_they_match_then_by_how_alike_they_are() -> None:
    message = b"abcdef"
    patterns: list[Any] = [b"xbcdef", lambda data: False, b"abxxxx", b"x", re.compile(rb"abcx"), b"xxxxxf"]

    found = nearest((repr(number), miss(each, message, None, is_whole=True)) for number, each in enumerate(patterns))

    assert found == [
        "4: b'abc' matches bytes 0 to 2, and what follows does not, from byte 3, b'd', on",
        "2: byte 2 is b'c', expected b'x'",
        "0: byte 0 is b'a', expected b'x'",
    ]


def test_patterns_of_a_protocol_are_named_by_how_alike_they_are() -> None:
    rules = [
        http.get("/cookies"),
        http.get("/x"),
        http.post("/q"),
        http.get("/q", query={"a": "1"}),
        http.get("/q", text="x"),
    ]
    message = bytes(http.get("/q", query={"a": "2"}))

    found = nearest((repr(each), miss(each, message, None, is_whole=True)) for each in rules)

    assert set(found[:2]) == {
        "http.get('/q', query={'a': '1'}): it is GET /q?a=2; a of the query is '2', expected '1'",
        "http.get('/q', text='x'): it is GET /q?a=2; text is '', expected 'x'",
    }


def test_commands_are_named_by_how_alike_they_are() -> None:
    rules = [
        redis.command("SUBSCRIBE"),
        redis.command("PING"),
        redis.command("INCR", "x"),
        redis.command("GET", "wind"),
    ]

    found = nearest((repr(each), miss(each, bytes(redis.Command("GET", "wnd")), None, is_whole=True)) for each in rules)

    assert found[0] == "redis.command('GET', 'wind'): it is GET wnd"


def test_patterns_as_close_as_each_other_stay_in_the_order_in_which_they_were_made() -> None:
    assert nearest([("b", Miss("1")), ("a", Miss("2"))]) == ["b: 1", "a: 2"]
