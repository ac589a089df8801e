"""Connections of a fake that end after a time without a message, or after some messages."""

from __future__ import annotations

import socket
from typing import Any

import pytest

import windsock
from tests.support.servers import (
    connect,
    exchange,
    on_every_concurrency,
    on_every_stream_kind,
    receive,
    rest_of,
)
from tests.support.waiting import wait_until
from windsock import Script

IDLE = 0.05
LONGER = 0.3
"""Where a message has to come in that time."""
secured = pytest.mark.parametrize(
    "options", [{"tls": True}, {"relay": True}, {"tls": True, "relay": True}], ids=["tls", "relay", "both"]
)


# --- idle


@on_every_stream_kind
def test_a_connection_without_a_message_is_ended(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.idle(IDLE)
        assert exchange(server, b"") == b""
        assert exchange(server, b"half of a message") == b""

        notes = [each.partition("note: ")[2] for each in server.transcript() if "note" in each]
        assert notes == ["no message for 0.05 s"] * 2
        assert [each.ending for each in server.connections.wait(2)] == ["server close"] * 2


@on_every_stream_kind
def test_the_time_begins_when_the_latest_reply_is_sent(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.idle(LONGER, reply=b"421 timeout\n")
        server.on(b"x").reply(b"y\n", delay=1.5 * LONGER)

        assert exchange(server, b"x\nx\n") == b"y\ny\n421 timeout\n"


@secured
@on_every_concurrency
def test_idle_connections_end_in_tls_and_behind_a_relay(concurrency: str, options: dict[str, Any]) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines", **options) as server:
        server.idle(LONGER, reply=b"421\n")
        server.echo()
        with server.connect() as client:
            client.send(b"x\n").expect(b"x\n").expect(b"421\n").expect_eof()


@on_every_concurrency
def test_an_idle_connection_may_be_reset(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.idle(IDLE, end="reset")
        with connect(server) as client, pytest.raises(ConnectionResetError):
            client.recv(1)


@on_every_stream_kind
def test_an_idle_connection_may_be_half_closed(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.idle(IDLE, end="half_close", reply=b"421\n")
        with connect(server) as client:
            assert rest_of(client) == b"421\n"
            client.sendall(b"still here\n")
            client.shutdown(socket.SHUT_WR)
        assert [each.data for each in server.requests.wait(1)] == [b"still here\n"]


def test_pending_replies_are_no_idle_time() -> None:
    with windsock.serving(framing="lines") as server:
        server.unordered()
        server.idle(LONGER, reply=b"421\n")
        server.on(b"slow").reply(b"late\n", delay=1.5 * LONGER)

        assert exchange(server, b"slow\n") == b"late\n421\n"


@on_every_concurrency
def test_a_stop_does_not_wait_for_the_idle_time(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines") as server:
        server.idle(30.0)
        server.echo()
        with connect(server) as client:
            client.sendall(b"x\n")
            assert receive(client, 2) == b"x\n"
            server.finish()


def test_a_connection_that_plays_a_script_is_not_idle() -> None:
    with windsock.serving(framing="lines") as server:
        server.idle(0.01)
        server.play(Script().pause(0.05).send(b"hello\n"))

        assert exchange(server, b"", half_close=True) == b"hello\n"


def test_the_latest_call_counts_for_later_connections() -> None:
    with windsock.serving(framing="lines") as server:
        server.idle(30.0)
        server.idle(LONGER, reply=b"421\n")
        assert exchange(server, b"") == b"421\n"


# --- limits


@on_every_stream_kind
def test_a_connection_ends_after_the_reply_to_its_last_message(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.limit(messages=2)
        server.echo()

        assert [exchange(server, b"a\nb\nc\n") for _ in range(2)] == [b"a\nb\n"] * 2
        notes = [each.partition("note: ")[2] for each in server.transcript() if "note" in each]
        assert notes == ["had 2 messages"] * 2
        assert [each.reply for each in server.requests.wait(6)] == [b"a\n", b"b\n", b""] * 2


@on_every_stream_kind
def test_one_message_more_than_the_limit_gets_a_last_reply(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.limit(messages=2, reply=b"421 too many\n")
        server.echo()
        with connect(server) as client:
            client.sendall(b"a\nb\n")
            assert receive(client, 4) == b"a\nb\n"
            client.sendall(b"c\nd\n")
            assert rest_of(client) == b"421 too many\n"

        assert [each.reply for each in server.requests.wait(4)] == [b"a\n", b"b\n", b"421 too many\n", b""]


@on_every_stream_kind
def test_without_framing_the_bytes_of_rules_are_counted(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.limit(messages=2, reply=b"no more")
        server.on(b"GET").reply(b"value ")

        assert exchange(server, b"GETGETGET") == b"value value no more"


@secured
@on_every_concurrency
def test_limits_hold_in_tls_and_behind_a_relay(concurrency: str, options: dict[str, Any]) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines", **options) as server:
        server.limit(messages=1)
        server.echo()
        with server.connect() as client:
            client.send(b"x\n").expect(b"x\n").expect_eof()


def test_pending_replies_are_sent_before_a_limit_ends_the_connection() -> None:
    with windsock.serving(framing="lines") as server:
        server.unordered()
        server.on(b"slow").reply(b"late\n", delay=0.02)
        server.on(b"fast").reply(b"now\n")
        server.limit(messages=2)
        assert exchange(server, b"slow\nfast\n") == b"now\nlate\n"

        server.limit(messages=1, reply=b"421\n")
        assert exchange(server, b"slow\nfast\n") == b"late\n421\n"
        assert [each.reply for each in server.requests.wait(4)] == [b"late\n", b"now\n", b"late\n", b"421\n"]


def test_a_half_closed_connection_answers_no_more() -> None:
    with windsock.serving(framing="lines") as server:
        server.limit(messages=1, end="half_close")
        server.echo()

        assert exchange(server, b"a\nb\n", half_close=True) == b"a\n"
        wait_until(lambda: len(server.requests) == 2, "the second message")


# --- what is wrong


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda s: s.idle(0), "idle(0): expected seconds, more than 0"),
        (lambda s: s.idle("1"), "idle('1'): expected seconds, more than 0"),
        (lambda s: s.idle(1, end="abort"), "idle(end='abort'): expected 'half_close', 'close' or 'reset'"),
        (lambda s: s.limit(1, end="start_tls"), "limit(end='start_tls'): expected 'half_close', 'close' or 'reset'"),
        (lambda s: s.idle(1, end=None), "idle(end=None): expected 'half_close', 'close' or 'reset'"),
        (lambda s: s.idle(1, reply="bye"), "idle(reply='bye'): expected the bytes to send before the end"),
        (lambda s: s.limit(0), "limit(messages=0): expected a whole number, 1 or more"),
        (lambda s: s.limit(True), "limit(messages=True): expected a whole number, 1 or more"),
        (lambda s: s.limit(1, reply=3), "limit(reply=3): expected the bytes to send before the end"),
    ],
)
def test_what_is_no_limit_is_said_to_be_none(call: Any, text: str) -> None:
    with windsock.serving() as server, pytest.raises(windsock.UsageError) as caught:
        call(server)

    assert str(caught.value) == text


@pytest.mark.parametrize("method", ["idle", "limit"])
def test_datagrams_have_no_connection_to_end(method: str) -> None:
    with windsock.serving(transport="udp") as server, pytest.raises(windsock.UsageError) as caught:
        getattr(server, method)(1)

    assert str(caught.value) == f"{method}(): that is for streams; a datagram has no connection to end"
