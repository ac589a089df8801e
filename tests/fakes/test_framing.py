"""Where a message ends is said, or nothing is answered that would depend on how a stream was cut."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import pytest

import windsock
from tests.fakes.helpers import UNUSED, failures_of, wait_until_taken
from tests.support.servers import (
    ask,
    connect,
    exchange,
    on_every_concurrency,
    on_every_datagram_kind,
    on_every_stream,
    wait_for_error,
)
from windsock import AsItArrives, Delimiter, LengthPrefix, Lines, UntilEof, UsageError

Tell = Callable[[windsock.RunningServer], object]

NEEDS_FRAMING: list[tuple[Tell, str]] = [
    (lambda server: server.reply(b"OK"), "reply(b'OK')"),
    (lambda server: server.reply(b"OK", times=None), "reply(b'OK')"),
    (lambda server: server.on(re.compile(rb"^GET (\w+)")), "on(re.compile(b'^GET (\\\\w+)'))"),
    (lambda server: server.on(bytes.isdigit), "on(bytes.isdigit)"),
]


@pytest.mark.parametrize(("tell", "call"), NEEDS_FRAMING, ids=["reply", "every", "expression", "predicate"])
@pytest.mark.parametrize("tls", [False, True])
@on_every_stream
def test_what_answers_messages_needs_to_know_where_they_end(transport: str, tls: bool, tell: Tell, call: str) -> None:
    with windsock.serving(transport=transport, tls=tls) as server:
        with pytest.raises(UsageError) as caught:
            tell(server)

        first, *lines = str(caught.value).splitlines()
        assert first.startswith(f"{call}: a stream does not show where a message ends")
        framings = [line.split()[0] for line in lines if line.startswith("  framing=")]
        assert framings == [
            'framing="lines"',
            r'framing=b"\r\n\r\n"',
            "framing=16",
            "framing=LengthPrefix(4)",
            'framing="rpc"',
            'framing="eof"',
            "framing=function",
            'framing="any"',
        ]


@pytest.mark.parametrize(("tell", "call"), NEEDS_FRAMING, ids=["reply", "every", "expression", "predicate"])
@on_every_datagram_kind
def test_a_datagram_ends_by_itself(transport: str, concurrency: str, tell: Tell, call: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, allow_unused=True) as server:
        tell(server)


@on_every_concurrency
def test_a_request_in_two_sends_gets_one_reply(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, framing=b"\r\n\r\n") as server:
        server.reply(b"one").reply(b"two")
        with connect(server) as client:
            for answer in (b"one", b"two"):
                client.sendall(b"GET / HTTP/1.1\r\n")
                client.sendall(b"Host: a\r\n\r\n")
                assert client.recv(10) == answer


@on_every_concurrency
def test_any_piece_that_arrives_can_be_a_message(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, framing="any") as server:
        server.on(re.compile(rb"GET (\w+)")).reply_with(lambda data: data[::-1])
        server.reply(b"first").reply(b"second")

        assert ask(server, b"anything", b"GET abc", b"at all") == [b"first", b"cba TEG", b"second"]
        request = server.requests.wait()[0]
        assert (request.data, request.reply) == (b"anythingGET abcat all", b"firstcba TEGsecond")


@on_every_concurrency
def test_a_rule_waits_while_one_before_it_may_match(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.on(b"GET all").reply(b"2")
        server.on(b"GET").reply(b"1")
        assert exchange(server, b"GETGET allGET", half_close=True) == b"121"


def test_an_echo_lets_the_bytes_of_rules_out() -> None:
    with windsock.serving() as server:
        server.on(b"PING").reply(b"PONG")
        server.echo()
        assert exchange(server, b"PIPPING!PIN", half_close=True) == b"PIPPONG!PIN"


# --- a message without an end


@pytest.mark.parametrize(
    ("framing", "message"),
    [
        (Lines(limit=100), b"x" * 101),
        (Delimiter(b"--", limit=100), b"x" * 99 + b"--"),
        (LengthPrefix(2, limit=100), b"\0\x63"),
        (UntilEof(limit=100), b"x" * 101),
    ],
    ids=lambda each: type(each).__name__,
)
@on_every_concurrency
def test_a_message_that_is_too_long_is_an_error_of_the_client(concurrency: str, framing: Any, message: bytes) -> None:
    with windsock.serving(concurrency=concurrency, framing=framing).echo() as server:
        assert exchange(server, message) == b""
        wait_for_error(server)

        (error,) = server.errors.take()
        assert isinstance(error, windsock.MessageTooLong)
        assert (error.framing, error.limit) == (framing, 100)
        assert "the limit of 100 bytes" in str(error)
        assert f"framing={type(framing).__name__}(..., limit=...)" in str(error)


def test_what_waits_for_an_expression_that_never_matches_has_a_limit_too() -> None:
    with windsock.serving(framing=AsItArrives(limit=100), allow_unused=True) as server:
        server.on(re.compile(rb"never")).reply(b"x")
        assert exchange(server, b"x" * 101) == b""
        wait_for_error(server)

        (error,) = server.errors.take()
        assert isinstance(error, windsock.MessageTooLong)


def test_a_client_that_never_ends_a_message_takes_no_more_memory_than_the_limit() -> None:
    with windsock.serving(framing="lines").echo() as server:
        with connect(server) as client, contextlib.suppress(ConnectionError):
            for _ in range(64):
                client.sendall(bytes(1 << 20))
        wait_for_error(server)

        (error,) = server.errors.take()
        assert isinstance(error, windsock.MessageTooLong)
        assert error.limit == 16 * 1024 * 1024
        assert len(server.connections[0].upstream) <= error.limit + (1 << 20)


# --- a message that is not finished


UNFINISHED: list[tuple[Any, bytes, Any, str]] = [
    ("lines", b"ping", b"ping", "4 B wait for a line end: b'ping', may match on(b'ping')"),
    (
        "lines",
        b"one\npi",
        re.compile(rb"p.*\n"),
        "2 B wait for a line end: b'pi', may match on(re.compile(b'p.*\\\\n'))",
    ),
    (b"--", b"ping-", b"ping", "5 B wait for the delimiter b'--': b'ping-', may match on(b'ping')"),
    (LengthPrefix(1), b"\4pi", b"ping", "3 B wait for 2 more: b'\\x04pi', may match on(b'ping')"),
    (4, b"pin", b"ping", "3 B wait for the rest of the message: b'pin', may match on(b'ping')"),
    ("lines", b"pong", b"ping", "4 B wait for a line end: b'pong'"),
    (None, b"pi", b"ping", "2 B wait for more: b'pi', may match on(b'ping')"),
]


@pytest.mark.parametrize(("framing", "sent", "pattern", "words"), UNFINISHED)
@on_every_concurrency
def test_what_a_client_has_not_finished_is_said(
    concurrency: str, framing: Any, sent: bytes, pattern: Any, words: str
) -> None:
    server = windsock.serving(concurrency=concurrency, framing=framing)
    server.on(b"one\n").reply_with(lambda data: None)
    server.on(pattern).reply(b"pong")
    with connect(server) as client:
        client.sendall(sent)
        wait_until_taken(server, sent)
        (first, *_) = failures_of(server)

    assert first.removesuffix(UNUSED).splitlines()[1:] == [f"  #0: {words}"]


@on_every_concurrency
def test_a_wait_for_requests_says_what_is_not_finished(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines") as server, connect(server) as client:
        client.sendall(b"ping")
        wait_until_taken(server, b"ping")
        with pytest.raises(windsock.RequestTimeout) as caught:
            server.requests.wait(timeout=0.01)

    assert str(caught.value).endswith("\n(#0: 4 B wait for a line end: b'ping')")
