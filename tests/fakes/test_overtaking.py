"""Replies of a fake that overtake delayed ones, of one connection and of datagrams, and the requests they belong to."""

from __future__ import annotations

from typing import Any

import pytest

import windsock
from tests.fakes.helpers import failures_of
from tests.support.servers import (
    connect,
    exchange,
    on_every_concurrency,
    on_every_datagram_kind,
    on_every_stream_kind,
    receive,
    reset,
    wait_for_error,
)
from tests.support.waiting import wait_until
from windsock import RunningServer, Script
from windsock.fakes.pending_replies import NO_KEY, PendingReplies, PendingReply


def replies_by_request(server: RunningServer, count: int) -> list[tuple[bytes, bytes]]:
    return [(each.data, each.reply) for each in server.requests.wait(count)]


@on_every_stream_kind
def test_a_delayed_reply_holds_up_no_later_one(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.unordered()
        server.on(b"slow").reply(b"late\n", delay=0.02)
        server.on(b"fast").reply(b"now\n")

        assert exchange(server, b"slow\nfast\nfast\n", half_close=True) == b"now\nnow\nlate\n"
        assert replies_by_request(server, 3) == [(b"slow\n", b"late\n"), (b"fast\n", b"now\n"), (b"fast\n", b"now\n")]


@pytest.mark.parametrize("options", [{"tls": True}, {"relay": True}, {"tls": True, "relay": True}], ids=str)
@on_every_concurrency
def test_replies_overtake_in_tls_and_behind_a_relay(concurrency: str, options: dict[str, Any]) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines", **options) as server:
        server.unordered()
        server.on(b"slow").reply(b"late\n", delay=0.02)
        server.on(b"fast").reply(b"now\n")
        with server.connect() as client:
            client.send(b"slow\nfast\n").expect(b"now\nlate\n").send(b"fast\n").expect(b"now\n")

        assert replies_by_request(server, 3) == [(b"slow\n", b"late\n"), (b"fast\n", b"now\n"), (b"fast\n", b"now\n")]


@on_every_stream_kind
def test_replies_to_messages_with_the_same_key_stay_in_order(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.unordered(key=lambda message: message[:1])
        server.on(b"1 slow").reply(b"1 late\n", delay=0.02)
        server.on(b"1 fast").reply(b"1 now\n")
        server.on(b"2 fast").reply(b"2 now\n")

        assert exchange(server, b"1 slow\n1 fast\n2 fast\n", half_close=True) == b"2 now\n1 late\n1 now\n"
        assert [each.reply for each in server.requests.wait(3)] == [b"1 late\n", b"1 now\n", b"2 now\n"]


@on_every_stream_kind
def test_bytes_without_framing_are_answered_out_of_order_too(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.unordered()
        server.on(b"slow").reply_with(bytes.upper, delay=0.02)
        server.on(b"fast").reply(b"now!")

        assert exchange(server, b"slowfast", half_close=True) == b"now!SLOW"


@on_every_datagram_kind
def test_a_delayed_reply_to_a_datagram_holds_up_no_other(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.unordered()
        server.on(b"slow").reply(b"never", delay=30.0)
        server.on(b"fast").reply(b"now")
        with connect(server) as client:
            client.send(b"slow")
            client.send(b"fast")
            assert client.recv(10) == b"now"


@on_every_datagram_kind
def test_a_delayed_reply_to_a_datagram_is_recorded_with_it(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.unordered()
        server.on(b"slow").reply(b"abcd", delay=0.01, pieces=2, every=0.001)
        with connect(server) as client:
            client.send(b"slow")
            assert [client.recv(10) for _ in range(2)] == [b"ab", b"cd"]

        assert replies_by_request(server, 1) == [(b"slow", b"abcd")]


def test_pieces_of_a_delayed_reply_are_not_mixed_with_another_one() -> None:
    with windsock.serving(framing="lines") as server:
        server.unordered()
        server.on(b"slow").reply(b"abc", delay=0.01, pieces=3, every=0.01)
        server.on(b"slower").reply(b"x", delay=0.015)

        assert exchange(server, b"slower\nslow\n", half_close=True) == b"abcx"
        assert [each.reply for each in server.requests.wait(2)] == [b"x", b"abc"]


def test_what_takes_no_delay_keeps_its_place() -> None:
    with windsock.serving(framing="lines") as server:
        server.unordered()
        server.greet(b"220\n", delay=0.02)
        server.on(b"data").play(Script().send(b"354\n").expect(b"body\n").send(b"250\n"))
        server.on(b"quiet").reply_with(lambda _: None, delay=0.01)
        server.echo()

        assert exchange(server, b"a\ndata\nbody\nquiet\nb\n", half_close=True) == b"220\na\n354\n250\nb\n"


@on_every_stream_kind
def test_a_reply_that_ends_the_connection_leaves_pending_ones_unsent(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.unordered()
        server.on(b"slow").reply(b"never\n", delay=30.0)
        server.on(b"bye").reply(b"221\n", end="close")

        assert exchange(server, b"slow\nbye\n") == b"221\n"
        note = "#0 note: 1 delayed reply was not sent: the connection was over"
        wait_until(lambda: any(each.endswith(note) for each in server.transcript()), "the note of it")


@on_every_concurrency
def test_a_stop_ends_a_pending_reply(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines") as server:
        server.unordered()
        server.on(b"slow").reply(b"never\n", delay=30.0)
        server.on(b"fast").reply(b"now\n")
        with connect(server) as client:
            client.sendall(b"slow\nfast\n")
            assert receive(client, 4) == b"now\n"
            server.finish()


def test_a_client_that_leaves_before_its_reply_is_no_error() -> None:
    with windsock.serving(framing="lines") as server:
        server.unordered()
        server.on(b"slow").reply(b"late\n", delay=0.01)
        with connect(server) as client:
            client.sendall(b"slow\n")
        server.connections.wait(1)


@on_every_concurrency
def test_a_connection_that_its_client_resets_does_not_wait_for_pending_replies(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines") as server:
        server.unordered()
        server.on(b"slow").reply(b"never\n", delay=30.0)
        server.on(b"fast").reply(b"now\n")
        client = connect(server)
        client.sendall(b"slow\nfast\n")
        assert receive(client, 4) == b"now\n"
        reset(client)

        (connection,) = server.connections.wait(1)
        assert connection.ending == "client reset"


@pytest.mark.parametrize(
    ("options", "key", "text"),
    [
        ({"framing": "lines"}, 3, "unordered(key=3): expected a function of a message, such as lambda data: data[:4]"),
        ({"transport": "udp"}, len, "unordered(key=<built-in function len>): that is for streams; datagrams keep"),
    ],
)
def test_a_wrong_key_is_said_to_be_wrong(options: dict[str, Any], key: Any, text: str) -> None:
    with windsock.serving(**options) as server, pytest.raises(windsock.UsageError) as caught:
        server.unordered(key=key)

    assert str(caught.value).startswith(text)


def test_a_key_without_a_hash_is_the_tests_error() -> None:
    server = windsock.serving(framing="lines")
    server.unordered(key=lambda message: [message])
    server.echo()
    with connect(server) as client:
        client.sendall(b"x\n")
        wait_for_error(server)

    assert failures_of(server) == [r"unordered(key=<lambda>): the function returned [b'x\n'], which has no hash"]


def test_a_key_function_that_raises_is_named() -> None:
    with windsock.serving(framing="lines", strict=False) as server:
        server.unordered(key=lambda message: message[99])
        server.echo()
        with connect(server) as client:
            client.sendall(b"x\n")
            wait_for_error(server)

        assert server.errors[0].__notes__[0] == r"raised by the function of unordered(key=<lambda>), for b'x\n'"


def test_a_handler_has_no_order_of_replies() -> None:
    server = windsock.serving(lambda request, address, server: None)
    with server, pytest.raises(windsock.UsageError, match="has a handler, which answers"):
        server.unordered()


# --- the order itself


def test_pending_replies_are_taken_when_due_and_in_order_within_a_key() -> None:
    pending = PendingReplies()
    for due, number, key in ((5.0, 1, "a"), (1.0, 2, "a"), (3.0, 3, NO_KEY), (3.0, 4, NO_KEY), (2.0, 5, "b")):
        pending.add(PendingReply(due, number, key, b""))

    assert (pending.due, len(pending), pending.holds_up("a"), pending.holds_up(NO_KEY)) == (2.0, 5, True, False)
    assert pending.take(1.9) is None
    taken = [pending.take(5.0) for _ in range(5)]
    assert [each.number for each in taken if each is not None] == [5, 3, 4, 1, 2]
    assert (pending.take(9.0), pending.holds_up("a")) == (None, False)
