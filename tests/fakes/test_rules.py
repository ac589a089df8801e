"""Rules of a fake: several replies, in turn; which messages and connections they are for; how a reply is given."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest

import windsock
from tests.fakes.helpers import UNUSED, failures_of
from tests.support.servers import (
    ask,
    connect,
    exchange,
    on_every_concurrency,
    on_every_datagram_kind,
    on_every_kind,
    on_every_stream_kind,
    receive,
    rest_of,
    wait_for_error,
)
from windsock import Script


@on_every_kind
def test_each_match_gets_the_next_reply_and_the_last_one_stays(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.on(b"GET").reply(b"busy", times=2).then(b"wait").then(b"value")

        answers = [answer for _ in range(3) for answer in ask(server, b"GET", b"GET")]
        assert answers == [b"busy", b"busy", b"wait", b"value", b"value", b"value"]


@on_every_kind
def test_a_rule_that_is_used_up_leaves_the_message_to_the_next_one(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing=3) as server:
        server.on(b"GET").reply(b"1", times=1)
        server.on(b"GET").reply(b"2", times=1)
        server.reply(b"3")
        server.echo()

        assert ask(server, b"GET", b"GET", b"GET", b"GET") == [b"1", b"2", b"3", b"GET"]


@on_every_kind
def test_so_many_matches_go_by_before_a_rule_counts(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing=5) as server:
        server.on(re.compile(rb"GET \w"), after=2).reply(b"gone")
        server.on(re.compile(rb"GET \w")).reply(b"here")

        assert ask(server, b"GET a", b"GET b", b"GET c", b"GET d") == [b"here", b"here", b"gone", b"gone"]


@pytest.mark.parametrize(
    ("which", "answered"),
    [(0, [0]), (slice(1, None), [1, 2, 3]), (slice(None, 3, 2), [0, 2]), (range(2), [0, 1]), (lambda n: n % 2, [1, 3])],
    ids=["index", "slice", "steps", "range", "function"],
)
@on_every_kind
def test_a_rule_can_be_for_some_connections(transport: str, concurrency: str, which: Any, answered: list[int]) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing=4) as server:
        server.on(b"WHO?", connections=which).reply(b"you!")
        server.reply(b"none", times=None)

        answers = [ask(server, b"WHO?")[0] for _ in range(4)]
        assert [number for number, answer in enumerate(answers) if answer == b"you!"] == answered


@on_every_kind
def test_a_function_makes_the_reply_of_the_message(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing=3) as server:
        server.on(re.compile(rb"[a-z]+")).reply_with(bytes.upper, times=1).then(lambda data: data[::-1])

        assert ask(server, b"abc", b"def") == [b"ABC", b"fed"]


def test_a_function_may_have_nothing_to_say() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(lambda line: True).reply_with(lambda line: None if line == b"quiet\n" else b"!")
        assert ask(server, b"quiet\nloud\n") == [b"!"]
        assert [each.reply for each in server.requests.wait(2)] == [b"", b"!"]


@on_every_stream_kind
def test_a_reply_may_be_dribbled_delayed_and_cut_short(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.on(b"A").reply(b"dribbled", pieces=4, every=0.002)
        server.on(b"B").reply(b"delayed", delay=0.01)
        server.on(b"C").reply(b"cut short", truncate=3)
        server.on(b"D").reply(b"all of it", delay=0.001, pieces=[1, 2], every=0.001, truncate=5, end="close")
        with connect(server) as client:
            for question, answer in ((b"A", b"dribbled"), (b"B", b"delayed"), (b"C", b"cut"), (b"D", b"all o")):
                client.sendall(question)
                assert receive(client, len(answer)) == answer
            assert rest_of(client) == b""

        sizes = [len(chunk.data) for chunk in server.connections[0].chunks if chunk.direction == "downstream"]
        assert sizes == [2, 2, 2, 2, 7, 3, 1, 2, 2]


@on_every_stream_kind
def test_a_reply_may_be_the_last_word(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.on(b"half").reply(b"1", end="half_close")
        server.on(b"close").reply(b"2", end="close")
        server.on(b"reset").reply(b"345", truncate=1, end="reset")
        with connect(server) as client:
            client.sendall(b"half")
            assert rest_of(client) == b"1"
            client.sendall(b"half")  # is taken, and can't be answered any more
            client.shutdown(socket.SHUT_WR)
        assert exchange(server, b"close") == b"2"
        with connect(server) as client:
            client.sendall(b"reset")
            assert client.recv(10) == b"3"
            if transport == "tcp":
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
            else:
                assert client.recv(1) == b""


@pytest.mark.parametrize("framing", [None, "lines"])
@on_every_stream_kind
def test_a_script_can_be_the_reply(transport: str, concurrency: str, framing: Any) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing=framing) as server:
        server.on(b"DATA\n").play(Script().send(b"354\n").expect(until=b"\n.\n").send(b"250\n"))
        server.on(b"QUIT\n").reply(b"221\n")
        assert exchange(server, b"DATA\nQUIT\n.\nQUIT\n", half_close=True) == b"354\n250\n221\n"


def test_a_script_that_is_a_reply_fails_like_any_other() -> None:
    server = windsock.serving(framing="lines")
    server.on(b"DATA\n").play(Script().send(b"354\n").expect(b"hello\n"))
    assert exchange(server, b"DATA\nhullo\n") == b"354\n"

    (text,) = failures_of(server)
    assert text.splitlines()[0] == "step 2, expect(b'hello\\n'): bytes differ at offset 1, b'u' instead of b'e'"


def test_replies_of_a_selecting_fake_that_take_their_time_hold_nobody_up() -> None:
    with windsock.serving(concurrency="selecting", allow_unused=True) as server:
        server.on(b"slow").reply(b"never", delay=30.0)
        server.on(b"fast").reply(b"now")
        with connect(server) as slow:
            slow.sendall(b"slow")
            assert ask(server, b"fast") == [b"now"]


@on_every_concurrency
def test_a_stop_ends_a_reply_that_takes_its_time(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.on(b"slow").reply(b"1never", pieces=[1], every=30.0)
        with connect(server) as client:
            client.sendall(b"slow")
            assert client.recv(1) == b"1"
            server.finish()


@on_every_datagram_kind
def test_datagrams_are_answered_in_pieces_too(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.on(b"?").reply(b"abcdef", delay=0.001, pieces=3, every=0.001)
        with connect(server) as client:
            client.send(b"?")
            assert [client.recv(10) for _ in range(3)] == [b"ab", b"cd", b"ef"]


@pytest.mark.parametrize("clients", [8])
@pytest.mark.parametrize("concurrency", ["threading", "forking", "selecting", "trio"])
def test_each_reply_is_given_once_however_many_ask_at_the_same_time(concurrency: str, clients: int) -> None:
    with windsock.serving(concurrency=concurrency, framing=4) as server:
        rule = server.on(b"rule").reply(b"%04d" % 0, times=1)
        for number in range(1, clients):
            rule.then(b"%04d" % number, times=1)
        for number in range(clients):
            server.reply(b"%04d" % (1000 + number))
        asking = [connect(server) for _ in range(clients)]
        for each in asking:
            each.sendall(b"rulenext")
        answers = [receive(each, 8) for each in asking]
        for each in asking:
            each.close()

        assert sorted(each[:4] for each in answers) == [b"%04d" % number for number in range(clients)]
        assert sorted(each[4:] for each in answers) == [b"%04d" % (1000 + number) for number in range(clients)]


# --- what is not used


@on_every_kind
def test_what_was_never_asked_for_fails_the_test(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency, framing=3)
    server.on(b"one").reply(b"1").then(b"2")
    server.on(b"two", after=1).reply(b"2", times=2)
    server.on(re.compile(rb"t(h)ree"), connections=0)
    server.reply(b"r").reply(b"s", times=2).reply(b"t")
    assert ask(server, b"one", b"two", b"xxx") == [b"1", b"r", b"s"]

    assert failures_of(server) == [
        "on(b'one').reply(b'1').then(b'2'): matched 1 of 2 times" + UNUSED,
        "on(b'two', after=1).reply(b'2', times=2): matched 1 of 3 times" + UNUSED,
        "on(re.compile(b't(h)ree'), connections=0): never matched" + UNUSED,
        "reply(b's', times=2): sent 1 of 2 times" + UNUSED,
        "reply(b't'): never sent" + UNUSED,
    ]


def test_how_replies_are_given_is_shown_as_it_was_told() -> None:
    server = windsock.serving()
    server.on(b"x" * 100).reply(b"12", delay=0.5, pieces=2, every=0.1, truncate=1, end="reset")
    server.on(b"y").reply_with(bytes.upper).then(Script().send(b"z"), times=3)
    server.on(b"z").play(Script().send(b"z"))

    assert [each.removesuffix(UNUSED) for each in failures_of(server)] == [
        f"on({b'x' * 48!r}...).reply(b'12', delay=0.5, pieces=2, every=0.1, truncate=1, end='reset'): never matched",
        "on(b'y').reply_with(bytes.upper).then(Script().send(b'z'), times=3): never matched",
        "on(b'z').play(Script().send(b'z')): never matched",
    ]


def test_an_echo_and_the_answer_to_everything_need_not_be_used() -> None:
    with windsock.serving(framing="lines").echo() as server:
        server.reply(b"x", times=None)


def test_what_is_on_its_way_when_the_test_ends_is_waited_for() -> None:
    with windsock.serving() as server:
        server.on(b"bye").reply(b"", delay=0.05)
        with connect(server) as client:
            client.sendall(b"bye")


@on_every_kind
def test_a_message_that_only_used_up_rules_match_is_not_expected(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing=3, allow_unused=True) as server:
        server.on(b"one").reply(b"1", times=1)
        server.on(b"one", after=5).reply(b"1")
        server.on(b"one", connections=slice(7, None)).reply(b"1")
        with connect(server) as client:
            client.sendall(b"one")
            assert client.recv(10) == b"1"
            client.sendall(b"one")
            wait_for_error(server)

        (error,) = server.errors.take()
        index = 0 if transport in ("tcp", "unix_stream") else 1
        assert str(error) == (
            "received b'one', which no rule or reply answers:\n"
            "  on(b'one'): matches, but is used up after 1 time\n"
            "  on(b'one', after=5): matches, but is skipped (after=5)\n"
            f"  on(b'one', connections=slice(7, None, None)): matches, but not in connection #{index}"
        )


@pytest.mark.parametrize(
    ("tell", "message"),
    [
        (lambda on: on().then(b"x"), "on(b'x').then(...): there is nothing before it; call reply(...) first"),
        *(
            (
                lambda on, method=method, what=what: getattr(on().reply(b"1", times=2), method)(what),
                f"on(b'x').reply(b'1', times=2).{method}(...): it has a reply already; use .then(...) for the next one",
            )
            for method, what in (("reply", b"2"), ("reply_with", bytes.upper), ("play", Script().send(b"2")))
        ),
        *(
            (
                tell,
                f"{code}.then(...): with times=None, the reply before it answers all later messages; "
                "leave times= out, or pass a number",
            )
            for tell, code in (
                (lambda on: on().reply(b"1", times=None).then(b"2"), "on(b'x').reply(b'1')"),
                (lambda on: on().reply(b"1").then(b"2", times=None).then(b"3"), "on(b'x').reply(b'1').then(b'2')"),
            )
        ),
        (lambda on: on().reply(b"x", times=0), "reply(times=0): expected 1 or more, or None for every message"),
        (lambda on: on().reply(b"x", delay=-1), "reply(delay=-1): expected seconds, 0 or more"),
        (lambda on: on().reply(b"x", every=-1), "send(every=-1): expected seconds, 0 or more"),
        (
            lambda on: on().reply(b"x", pieces=0),
            "send(pieces=0): expected a number of pieces, 1 or more, or a list of sizes",
        ),
        (
            lambda on: on().reply(b"x", truncate=1),
            "reply(truncate=1): the reply has 1 bytes; expected a smaller number of bytes to send",
        ),
        (
            lambda on: on().reply(b"x", truncate=-1),
            "reply(truncate=-1): expected a number of bytes of the reply to send, 0 or more",
        ),
        (
            lambda on: on().reply(b"x", end="bang"),
            "reply(end='bang'): expected 'half_close', 'close', 'reset' or 'start_tls'",
        ),
        (
            lambda on: on().reply_with(b"x"),
            "reply_with(b'x'): expected a function of the message that returns bytes, or None",
        ),
        (lambda on: on().play(b"x"), "play(b'x'): expected a Script, as in Script().expect(b'...').send(b'...')"),
        (
            lambda on: on().reply(b"x").then(Script().send(b"x"), delay=1),
            "then(Script(), ...): a script defines when and how it sends; leave the keywords out",
        ),
        (
            lambda on: on(after=-1),
            "on(after=-1): expected the number of matches to skip, 0 or more",
        ),
        (
            lambda on: on(connections="first"),
            "on(connections='first'): expected an index from 0, a slice of them, or a function of the index",
        ),
        (
            lambda on: on(connections=slice(-1, None)),
            "on(connections=slice(-1, None, None)): the number of connections is unknown; expected no negative numbers",
        ),
    ],
)
def test_what_a_rule_cannot_be_is_a_usage_error(tell: Any, message: str) -> None:
    with windsock.serving(allow_unused=True) as server:
        with pytest.raises(windsock.UsageError) as caught:
            tell(lambda **options: server.on(b"x", **options))
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("tell", "message"),
    [
        (
            lambda rule: rule.reply(b"x", end="reset"),
            "reply(end='reset'): that is for streams; a datagram has no connection to end",
        ),
        (
            lambda rule: rule.play(Script().send(b"x")),
            "play(Script().send(b'x')): a rule of a datagram server can't play a script; "
            "use server.play(script), whose first step expects the datagram",
        ),
    ],
)
def test_what_a_rule_for_datagrams_cannot_be_is_a_usage_error(tell: Any, message: str) -> None:
    with windsock.serving(transport="udp", allow_unused=True) as server:
        with pytest.raises(windsock.UsageError) as caught:
            tell(server.on(b"x"))
        assert str(caught.value) == message


def test_what_a_function_returns_has_to_be_bytes() -> None:
    with windsock.serving() as server:
        server.on(b"x").reply_with(lambda data: "text")  # type: ignore[arg-type, return-value]  # that is the point
        assert exchange(server, b"x") == b""
        wait_for_error(server)

        (error,) = server.errors.take()
        assert str(error) == (
            "on(b'x').reply_with(<lambda>), in reply to b'x': the function returned 'text'; "
            "expected bytes, several of them, a binary file, a Script, or None for no reply"
        )
