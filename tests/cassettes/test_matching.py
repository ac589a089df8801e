"""What a client of a replay may send, and what it hears of where it differs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.cassettes.helpers import cassette, recorded, talk
from tests.support.waiting import ends_in_time, wait_until
from windsock import CassetteError, UnmatchedTraffic, UsageError
from windsock.cassettes import Unplayed
from windsock.cassettes.line import Message
from windsock.cassettes.matching import Matching

GREETED = ("1 opened", r"1 > HELLO 17 at 12:00\n", r"1 < WELCOME\n", r"1 > BYE\n", r"1 < SEE YOU\n")


def failure_of(path: Path, *messages: bytes, **options: Any) -> UnmatchedTraffic:
    """Send these messages to a replay, one client each; return what does not match."""
    server = windsock.replay(path, **options)
    for each in messages:
        with windsock.scripted_client(server.address) as client:
            client.send(each).half_close()
    wait_until(lambda: server.errors)
    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    (error,) = caught.value.exceptions
    assert isinstance(error, UnmatchedTraffic)
    return error


def test_a_message_that_differs_names_the_line_and_the_first_byte(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", *GREETED)

    error = failure_of(path, b"HELLO 18 at 12:00\n")

    assert (error.line, error.offset, error.received) == (6, 7, b"HELLO 18 at 12:00\n")
    assert error.expected == b"HELLO 17 at 12:00\n"
    assert f"cassette {path}: received b'HELLO 18" in str(error)
    assert "byte 7 is b'8', expected b'7'" in str(error)


def test_what_comes_after_the_last_recorded_line_does_not_match(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened", r"1 > BYE\n", r"1 < SEE YOU\n")

    error = failure_of(path, b"BYE\nMORE\n")

    assert (error.received, error.line) == (b"MORE\n", None)
    assert "nothing more was recorded there" in str(error)


def test_a_part_of_a_message_at_the_end_of_the_stream_does_not_match(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened", r"1 > BYE\n")

    error = failure_of(path, b"BY")

    assert (error.received, error.offset) == (b"BY", 2)


def test_one_connection_more_than_recorded_does_not_match(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened", r"1 > BYE\n")

    error = failure_of(path, b"BYE\n", b"BYE\n")

    assert "one connection too many (the cassette has 1 connection)" in str(error)


@pytest.mark.parametrize(
    "options", [{"ignore": [re.compile(rb"O (\d+)"), re.compile(rb"at (.+)\n")]}, {"normalise": "digits"}]
)
def test_parts_that_vary_may_have_any_value(tmp_path: Path, options: dict[str, Any]) -> None:
    path = cassette(tmp_path / "a.txt", *GREETED)
    if "normalise" in options:
        options = {"normalise": lambda data: re.sub(rb"[\d:]+", b"0", data)}

    with windsock.replay(path, **options) as server:
        talk((b"HELLO 4711 at 9:30\n", b"WELCOME\n"), (b"BYE\n", b"SEE YOU\n"))(server.address)


def test_what_does_not_vary_still_has_to_match(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", *GREETED)

    error = failure_of(path, b"HELLO 4711 in 9:30\n", ignore=re.compile(rb"\d+(?::\d+)?"), allow_unused=True)

    assert "from byte 6 on there is no b' at '" in str(error)


@pytest.mark.parametrize("connections", ["by_first_message", "in_order"])
def test_connections_are_told_apart_by_their_order_or_their_first_message(tmp_path: Path, connections: str) -> None:
    lines = ("1 opened", r"1 < READY\n", r"1 > A\n", r"1 < a\n", "2 opened", r"2 < READY\n", r"2 > B\n", r"2 < b\n")
    path = cassette(tmp_path / "a.txt", *lines)
    sent = [b"B\n", b"A\n"] if connections == "by_first_message" else [b"A\n", b"B\n"]

    with windsock.replay(path, connections=connections) as server:
        for each in sent:
            with windsock.scripted_client(server.address) as client:
                client.expect(b"READY\n").send(each).expect(each.lower())


def test_a_first_message_that_no_connection_has_names_the_nearest_one(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened", r"1 > ABC\n", "2 opened", r"2 > XYZ\n")

    error = failure_of(path, b"XYA\n", connections="by_first_message", allow_unused=True)

    assert (error.line, error.offset) == (8, 2)


def test_a_first_message_that_is_there_once_and_comes_twice_is_one_connection_too_many(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened", r"1 > ABC\n")

    error = failure_of(path, b"ABC\n", b"ABC\n", connections="by_first_message")

    assert "was not recorded: one connection too many (the cassette has 1 connection)" in str(error)


def test_requests_that_were_not_sent_fail_a_strict_test(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", *GREETED, "2 opened", r"2 > MORE\n")
    server = windsock.replay(path)
    talk((b"HELLO 17 at 12:00\n", b"WELCOME\n"))(server.address)

    with pytest.raises(ExceptionGroup, match="recorded requests that no client has sent") as caught:
        server.finish()

    assert [getattr(each, "line", None) for each in caught.value.exceptions] == [8, 11]
    assert all(isinstance(each, Unplayed) for each in caught.value.exceptions)
    with windsock.replay(path, allow_unused=True):
        pass


def test_datagrams_match_in_any_order_unless_asked_otherwise(tmp_path: Path) -> None:
    def ask(address: object, *messages: bytes) -> None:
        with windsock.scripted_client(address, transport="udp") as client:
            for each in messages:
                client.send(each).expect(each.lower())

    path = tmp_path / "a.txt"
    recorded(path, {b"A": b"a", b"B": b"b"}, lambda address: ask(address, b"A", b"B"), transport="udp")

    with windsock.replay(path) as server:
        ask(server.address, b"B", b"A")
    server = windsock.replay(path, connections="in_order", allow_unused=True)
    with windsock.scripted_client(server.address, transport="udp") as client:
        client.send(b"B")
        wait_until(lambda: server.errors)
    with pytest.raises(ExceptionGroup) as caught:
        server.finish()

    (error,) = caught.value.exceptions
    assert isinstance(error, UnmatchedTraffic)
    assert (error.received, error.expected) == (b"B", b"A")


def test_recorded_pauses_are_kept_scaled_or_dropped(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened", r"1 > BYE\n", r"+3600.000 1 < SEE YOU\n")

    for pace in (None, 0, 0.000001):
        with windsock.replay(path, pace=pace) as server:
            talk((b"BYE\n", b"SEE YOU\n"))(server.address)
    with ends_in_time(), windsock.replay(path, pace="recorded") as server:
        client = server.connect().send(b"BYE\n")
        wait_until(lambda: server.connections and server.connections[0].rests_until > 0)
        client.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pace": "slow"}, "pace='slow': expected 'recorded'"),
        ({"pace": -1}, "pace=-1: expected"),
        ({"ignroe": b"x"}, r"replay() got an unexpected keyword argument 'ignroe'"),
        ({"path": "s"}, "path="),
        ({"connections": "random"}, "connections='random': expected one of 'in_order', 'by_first_message'"),
        ({"ignore": "text"}, "ignore=<str>: expected bytes"),
        ({"normalise": 3}, "normalise=3: expected a function"),
        ({"handler": print}, "leave handler= out"),
        ({"framing": 16}, "it was recorded with framing: lines; leave framing= out"),
        ({"colour": 1}, "colour"),
    ],
)
def test_wrong_values_say_what_was_expected(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened")

    with pytest.raises((UsageError, TypeError), match=re.escape(words)):
        windsock.replay(path, **options)


def test_ignoring_parts_needs_a_framing(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened", framing="none")

    with pytest.raises(CassetteError, match="it has no framing"):
        windsock.replay(path, ignore=b"x")


def test_a_framing_that_is_a_function_has_to_be_passed_again(tmp_path: Path) -> None:
    def by_two(data: bytes) -> int | None:
        return 2 if len(data) > 1 else None

    recorded(tmp_path / "a.txt", {b"AB\n": b"ab\n"}, talk((b"AB\n", b"ab\n")), framing=by_two)

    with pytest.raises(CassetteError, match="recorded with framing=by_two; pass framing="):
        windsock.replay(tmp_path / "a.txt")
    with windsock.replay(tmp_path / "a.txt", framing=by_two) as server:
        talk((b"AB\n", b"ab\n"))(server.address)


def test_a_place_between_two_runs_of_bytes_has_any_value() -> None:
    expected = Matching().expected(Message(b"a**b**", ((1, 3), (4, 6))))

    assert expected.fits(b"ab")
    assert expected.fits(b"aXYbZ")
    assert not expected.fits(b"XaXYbZ")
    assert expected.begins(b"aXb") is None
    assert expected.begins(b"aXbYZ") == 5
