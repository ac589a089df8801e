"""A fake server: takes what comes, and answers as told."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest

import windsock
from tests.support.servers import (
    ask,
    connect,
    exchange,
    on_every_concurrency,
    on_every_datagram_kind,
    on_every_kind,
    on_every_stream_kind,
    rest_of,
    wait_for_error,
)
from tests.support.waiting import DEADLINE
from windsock import LengthPrefix


@on_every_kind
def test_queued_replies_are_given_in_turn(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing=1) as server:
        server.reply(b"first").reply(b"again", times=2).reply(b"always", times=None)

        assert [answer for _ in range(3) for answer in ask(server, b"a", b"b")] == [
            b"first",
            b"again",
            b"again",
            b"always",
            b"always",
            b"always",
        ]


@on_every_kind
def test_an_echo_answers_with_the_message(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines").echo() as server:
        assert ask(server, b"one\n", b"two\n") == [b"one\n", b"two\n"]


@on_every_kind
def test_rules_answer_what_matches_them(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.on(b"PING").reply(b"PONG")
        server.on(re.compile(rb"GET \w+")).reply(b"value")
        server.on(lambda data: len(data) == 8).reply(b"seven")

        assert ask(server, b"GET key\n", b"1234567\n", b"PING\n") == [b"value", b"seven", b"PONG"]
        assert [each.reply for each in server.requests][-1].endswith(b"PONG")


@on_every_stream_kind
def test_pipelined_messages_get_their_own_replies(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.on(b"two").reply(b"2")
        server.reply(b"1").reply(b"3")
        assert exchange(server, b"one\ntwo\nthree\n", half_close=True) == b"123"
        requests = server.requests.wait(3)

        assert [(each.data, each.reply) for each in requests] == [
            (b"one\n", b"1"),
            (b"two\n", b"2"),
            (b"three\n", b"3"),
        ]


@on_every_concurrency
def test_without_framing_pipelined_rules_match_one_after_the_other(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.on(b"A").reply(b"1")
        server.on(b"B").reply(b"2")
        assert exchange(server, b"ABBA", half_close=True) == b"1221"


MESSAGES: list[tuple[Any, list[bytes]]] = [
    ("lines", [b"one\n", b"two\r\n"]),
    (b"\0", [b"one\0", b"two\0"]),
    (LengthPrefix(2), [b"\0\3one", b"\0\5three"]),
    (LengthPrefix(1, "little", includes_prefix=True), [b"\4one", b"\6three"]),
    (3, [b"one", b"two"]),
    (lambda data: data.find(b"!") + 1 or None, [b"one!", b"two!"]),
]


@pytest.mark.parametrize(("framing", "messages"), MESSAGES, ids=lambda value: repr(value)[:12])
@on_every_concurrency
def test_messages_are_told_apart_wherever_they_are_cut(concurrency: str, framing: Any, messages: list[bytes]) -> None:
    with windsock.serving(concurrency=concurrency, framing=framing).echo() as server:
        with connect(server) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for message in messages:
                for byte in message[:-1]:
                    client.sendall(bytes([byte]))
                client.settimeout(0.02)
                with pytest.raises(TimeoutError):  # nothing before all of it has come
                    client.recv(1)
                client.settimeout(DEADLINE)
                client.sendall(message[-1:])
                assert client.recv(100) == message

        assert [(each.data, each.reply) for each in server.requests.wait(2)] == list(
            zip(messages, messages, strict=True)
        )


@on_every_stream_kind
def test_until_eof_the_answer_comes_after_the_clients_end(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="eof") as server:
        server.on(b"all of it").reply(b"thanks")
        with connect(server) as client:
            client.sendall(b"all ")
            client.sendall(b"of it")
            client.shutdown(socket.SHUT_WR)
            assert rest_of(client) == b"thanks"
        request = server.requests.wait()[0]

        assert (request.data, request.reply) == (b"all of it", b"thanks")


@pytest.mark.parametrize("framing", ["lines", b"\r\n", LengthPrefix(1)])
def test_a_rule_need_not_say_what_only_frames_a_message(framing: Any) -> None:
    framed = b"\4PING" if framing == LengthPrefix(1) else b"PING\r\n"
    with windsock.serving(framing=framing) as server:
        server.on(b"PING").reply(b"bare")
        assert ask(server, framed) == [b"bare"]
    with windsock.serving(framing=framing) as server:
        server.on(framed).reply(b"framed")
        assert ask(server, framed) == [b"framed"]


def test_a_rule_waits_for_the_rest_of_what_could_match() -> None:
    with windsock.serving() as server, connect(server) as client:
        server.on(b"HELLO").reply(b"hi")
        client.sendall(b"HEL")
        client.settimeout(0.02)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(DEADLINE)
        client.sendall(b"LO")

        assert client.recv(10) == b"hi"


@on_every_kind
def test_a_message_that_is_not_expected_fails_the_test(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency, framing="eof")
    server.on(b"HELO there").reply(b"250")
    server.on(re.compile(rb"QUIT\b")).reply(b"221")
    with connect(server) as client:
        client.sendall(b"HELP me")
        if transport in ("tcp", "unix_stream"):
            client.shutdown(socket.SHUT_WR)
        wait_for_error(server)

    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    (error,) = caught.value.exceptions
    assert isinstance(error, windsock.UnexpectedMessage)
    assert error.message == b"HELP me"
    assert str(error) == (
        "received b'HELP me', which no rule or reply answers:\n"
        "  on(b'HELO there'): byte 3 is b'P', expected b'O'\n"
        "  on(re.compile(b'QUIT\\\\b')): no part of it was found anywhere"
    )
    assert caught.value.__notes__ == [
        f"windsock: the {server.name}: on(b'HELO there').reply(b'250'): never matched",
        f"windsock: the {server.name}: on(re.compile(b'QUIT\\\\b')).reply(b'221'): never matched",
    ]


@on_every_concurrency
def test_a_message_after_the_last_reply_is_not_expected(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines") as server:
        server.reply(b"only one")
        assert exchange(server, b"first\nsecond\n") == b"only one"
        wait_for_error(server)

        (error,) = server.errors.take()
        assert str(error) == ("received b'second\\n', which no rule or reply answers:\n  (no more replies)")


def test_a_part_of_what_is_expected_is_not_enough() -> None:
    with windsock.serving(allow_unused=True) as server:
        server.on(b"HELLO").reply(b"hi")
        assert exchange(server, b"HEL", half_close=True) == b""
        wait_for_error(server)

        (error,) = server.errors.take()
        assert isinstance(error, windsock.UnexpectedMessage)
        assert error.message == b"HEL"


@on_every_kind
def test_told_nothing_it_takes_everything_and_answers_nothing(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        with connect(server) as client:
            client.sendall(b"anything")
        request = server.requests.wait()[0]

        assert (request.data, request.reply) == (b"anything", b"")


def test_a_rule_can_take_and_say_nothing() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"quiet").reply_with(lambda message: None)
        server.on(b"loud").reply(b"!")
        assert ask(server, b"quiet\nloud\n") == [b"!"]
        assert [each.reply for each in server.requests.wait(2)] == [b"", b"!"]


@on_every_kind
def test_what_a_rule_without_a_reply_matches_is_unexpected(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.on(b"a")
        with connect(server) as client:
            client.sendall(b"a")
            wait_for_error(server)

        (error,) = server.errors.take()
        assert str(error) == (
            "received b'a', which no rule or reply answers:\n"
            "  on(b'a'): matches, but has no reply; use .reply(...), "
            "or .reply_with(lambda message: None) for none"
        )


@on_every_datagram_kind
def test_a_datagram_client_without_a_name_gets_no_answer_and_does_no_harm(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.echo()
        with socket.socket(server.server.address_family, socket.SOCK_DGRAM) as client:
            client.connect(server.server.server_address)
            client.send(b"nameless")
            assert server.requests.only().data == b"nameless"


@pytest.mark.parametrize(
    ("tell", "message"),
    [
        (lambda server: server.reply("text"), "reply('text'): expected bytes; encode text first"),
        (lambda server: server.on(b"x").reply(None), "reply(None): expected bytes; encode text first"),
        (lambda server: server.reply(b"x", times=0), "reply(times=0): expected 1 or more, or None for every message"),
        (
            lambda server: server.on(b""),
            "on(b''): an empty pattern matches nothing that could arrive; pass the bytes to expect",
        ),
        (
            lambda server: server.on("PING"),
            "on('PING'): expected bytes, a compiled regular expression over bytes, or a predicate",
        ),
        (
            lambda server: server.on(re.compile("PING")),
            "on(re.compile('PING')): expected a pattern over bytes, as in re.compile(rb'...')",
        ),
    ],
)
def test_what_a_fake_cannot_answer_is_a_usage_error(tell: Any, message: str) -> None:
    with windsock.serving(allow_unused=True) as server:
        with pytest.raises(windsock.UsageError) as caught:
            tell(server)
        assert str(caught.value) == message


def test_a_forking_fakes_queue_has_no_end() -> None:
    with windsock.serving(concurrency="forking", framing="lines", allow_unused=True) as server:
        server.reply(b"x", times=1_000_000)

        assert ask(server, b"still there?\n") == [b"x"]
