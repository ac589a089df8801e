"""Exchanges: messages and their replies, cut out of a connection. No I/O."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recording.helpers import note, recording, requests_of
from windsock.recording import Lines, framing_from
from windsock.recording.events import Kind
from windsock.recording.exchanges import Exchanges


def test_without_framing_a_request_is_all_that_a_connection_sent() -> None:
    with recording() as (_, connection):
        note(connection, b"<220 hi", b">one", b"<250", b">two", b"<251")
        (request,) = requests_of(connection)

        assert (request.data, request.reply, request.is_complete) == (b"onetwo", b"220 hi250251", False)
        assert repr(request) == "<request #0.0 b'onetwo', not complete>"
        note(connection, Kind.CLIENT_EOF, Kind.CLOSE)
        (request,) = requests_of(connection)
        assert request.is_complete
        assert request.completed == connection.closed
        assert request.started < request.completed


def test_a_connection_that_sent_nothing_made_no_request() -> None:
    with recording() as (_, connection):
        note(connection, b"<220 hi", Kind.CLOSE)

        assert requests_of(connection) == []
        assert requests_of(connection, "lines") == []


def test_a_reply_belongs_to_the_latest_message_before_it() -> None:
    with recording() as (_, connection):
        note(connection, b"<hello", b">a\n", b"<A", b"<A", b">b\nc", b"<B", b">\n", b"<C")

        found = [(each.data, each.reply) for each in requests_of(connection, "lines")]

        assert found == [(b"a\n", b"AA"), (b"b\n", b"B"), (b"c\n", b"C")]


def test_a_server_that_says_whose_turn_it_is_is_believed() -> None:
    with recording() as (_, connection):
        note(connection, b">a\nb\nc\n", Kind.MARK, b"<A", Kind.MARK, Kind.MARK, b"<C")

        found = [(each.data, each.reply, each.exchange) for each in requests_of(connection, "lines")]

        assert found == [(b"a\n", b"A", 0), (b"b\n", b"", 1), (b"c\n", b"C", 2)]


def test_a_server_may_say_which_earlier_message_it_answers() -> None:
    with recording() as (_, connection):
        note(connection, b">a\nb\n", Kind.MARK, Kind.MARK, b"<B")
        connection.note(Kind.MARK, b"1")
        note(connection, b"<AA")
        connection.note(Kind.MARK, b"2")
        note(connection, b">c\n", Kind.MARK, b"<C")

        found = [(each.data, each.reply) for each in requests_of(connection, "lines")]

        assert found == [(b"a\n", b"AA"), (b"b\n", b"B"), (b"c\n", b"C")]


def test_what_is_no_whole_message_shows_when_the_connection_is_over() -> None:
    with recording() as (_, connection):
        note(connection, b">whole\npart")
        assert [each.data for each in requests_of(connection, "lines")] == [b"whole\n"]

        note(connection, Kind.CLIENT_RESET, Kind.CLOSE)
        whole, part = requests_of(connection, "lines")
        assert (whole.data, whole.is_complete) == (b"whole\n", True)
        assert (part.data, part.is_complete) == (b"part", False)
        assert repr(part) == "<request #0.1 b'part', not complete, waits for a line end>"


def test_of_a_message_that_is_too_long_no_more_is_kept() -> None:
    with recording() as (_, connection):
        exchanges = Exchanges(connection, Lines(limit=4), is_datagram=False)
        note(connection, b">one\n", b">no end")
        assert [each.data for each in exchanges.requests()] == [b"one\n"]
        note(connection, b">\nand more\n", Kind.CLIENT_EOF, Kind.CLOSE)

        first, rest = exchanges.requests()
        assert (first.data, first.is_complete) == (b"one\n", True)
        assert (rest.data, rest.is_complete) == (b"no end\nand more\n", False)
        assert rest.waits_for == "an end that comes within its limit"


@pytest.mark.parametrize("pieces", [[b"no end\nmore\n"], [b"no", b" end", b"\nmo", b"re\n"]])
def test_a_message_that_is_too_long_is_the_same_however_it_was_cut(pieces: list[bytes]) -> None:
    with recording() as (_, connection):
        note(connection, *(b">" + each for each in pieces), Kind.CLIENT_EOF, Kind.CLOSE)
        (request,) = requests_of(connection, Lines(limit=4))

        assert (request.data, request.is_complete) == (b"no end\nmore\n", False)


def test_any_is_no_framing_for_what_is_recorded() -> None:
    with recording() as (_, connection):
        note(connection, b">one", b"<1", b">two", b"<2", Kind.CLIENT_EOF, Kind.CLOSE)
        (request,) = requests_of(connection, "any")

        assert (request.data, request.reply, request.is_complete) == (b"onetwo", b"12", True)


def test_until_eof_a_message_is_complete_with_the_clients_end() -> None:
    with recording() as (_, connection):
        note(connection, b">all ", b">of it")
        assert requests_of(connection, "eof") == []

        note(connection, Kind.CLIENT_EOF, b"<thanks")
        (request,) = requests_of(connection, "eof")
        assert (request.data, request.reply, request.is_complete) == (b"all of it", b"thanks", True)


def test_until_eof_a_message_that_was_reset_is_not_complete() -> None:
    with recording() as (_, connection):
        note(connection, b">all ", Kind.CLIENT_RESET, Kind.CLOSE)

        (request,) = requests_of(connection, "eof")
        assert (request.data, request.is_complete) == (b"all ", False)


def test_a_datagram_is_complete_at_once() -> None:
    with recording() as (_, connection):
        note(connection, b">ping", b"<pong", b"<pong 2")

        (request,) = requests_of(connection, is_datagram=True)
        assert (request.data, request.reply, request.is_complete) == (b"ping", b"pongpong 2", True)


def test_a_reply_that_did_not_go_out_is_none() -> None:
    with recording() as (_, connection):
        note(connection, b">a\n", b"<reply", (Kind.RETRACT, b"5"))

        (request,) = requests_of(connection, "lines")
        assert (request.reply, request.replied) == (b"", None)


def test_an_error_belongs_to_the_last_request() -> None:
    with recording() as (recorder, connection):
        note(connection, b">a\nb\n")
        error = LookupError("b")
        recorder.failed(connection, error)

        assert [each.error for each in requests_of(connection, "lines")] == [None, error]


@pytest.mark.parametrize("framing", [None, "lines", 4, "eof"])
def test_looking_again_finds_the_same(framing: object) -> None:
    with recording() as (_, connection):
        exchanges = Exchanges(connection, framing_from(framing), is_datagram=False)
        for number in range(20):
            note(connection, b">q%d\n" % number, b"<a%d\n" % number)
            exchanges.requests()
        note(connection, Kind.CLIENT_EOF, Kind.CLOSE)

        seen = [(each.data, each.reply) for each in exchanges.requests()]

        assert seen == [(each.data, each.reply) for each in requests_of(connection, framing)]
        assert b"".join(data for data, _ in seen) == b"".join(b"q%d\n" % number for number in range(20))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_however_a_conversation_is_cut_the_requests_are_the_same(sizes: list[int]) -> None:
    data = b"".join(b"line %d\n" % number for number in range(12))
    with recording() as (_, connection):
        position = 0
        for size in sizes:
            note(connection, b">" + data[position : position + size])
            position += size
        note(connection, b">" + data[position:] if position < len(data) else Kind.MARK)

        assert [each.data for each in requests_of(connection, "lines")] == data.splitlines(keepends=True)


def test_a_long_request_is_shown_in_short() -> None:
    with recording() as (_, connection):
        note(connection, b">" + b"x" * 1000)

        assert repr(requests_of(connection)[0]) == f"<request #0.0 {b'x' * 64!r}... (1000 bytes), not complete>"
