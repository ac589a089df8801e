"""States of a fake: which rules answer in which state, whose state it is, and what is wrong with rules and states."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import Any

import pytest

import windsock
from tests.fakes.helpers import failures_of
from tests.support.processes import forked
from tests.support.servers import (
    ask,
    connect,
    exchange,
    on_every_datagram_kind,
    on_every_kind,
    on_every_stream_kind,
    receive,
    wait_for_error,
)
from windsock import RunningServer, Script
from windsock.fakes.fake_replies import FakeReplies
from windsock.fakes.replies import Answer
from windsock.fakes.responder import Responder
from windsock.fakes.rule_options import RuleOptions
from windsock.fakes.state_cells import StateCells

both = pytest.mark.parametrize("across_processes", [False, True])


CONVERSATION = ((b"NOOP", b"200!"), (b"USER", b"331!"), (b"PASS", b"230!"), (b"LIST", b"150!"))


def with_login(server: RunningServer) -> RunningServer:
    server.on(b"USER", state="start").reply(b"331!", then="user given")
    server.on(b"PASS", state="user given").reply(b"230!", then="logged in")
    server.on(b"LIST", state="logged in").reply(b"150!")
    server.on(b"NOOP").reply(b"200!")
    return server


# --- whose state it is


@on_every_kind
def test_a_rule_answers_in_its_state_alone(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        with_login(server)
        server.on(b"LIST").reply(b"530!")

        answers = ask(server, b"LIST", b"NOOP", b"USER", b"NOOP", b"LIST", b"PASS", b"NOOP", b"LIST")
        assert answers == [b"530!", b"200!", b"331!", b"200!", b"530!", b"230!", b"200!", b"150!"]


@on_every_kind
def test_each_client_has_a_state_of_its_own(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        with_login(server)
        if concurrency == "sync" and transport in ("tcp", "unix_stream"):
            for _ in range(2):  # it serves one connection after the other
                assert ask(server, b"USER", b"PASS", b"LIST", b"NOOP") == [b"331!", b"230!", b"150!", b"200!"]
            return
        with connect(server) as one, connect(server) as other:
            for question, answer in CONVERSATION:
                for client in (one, other):
                    client.sendall(question)
                    assert receive(client, 4) == answer


@on_every_kind
def test_the_server_as_a_whole_can_have_the_state(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.states(start="free", per="server")
        server.on(b"LOCK", state="free").reply(b"yes", then="locked")
        server.on(b"LOCK", state="locked").reply(b"no!")
        server.on(b"FREE", state="locked").reply(b"yes", then="free")

        assert ask(server, b"LOCK") == [b"yes"]
        assert ask(server, b"LOCK") == [b"no!"]
        assert ask(server, b"FREE", b"LOCK") == [b"yes", b"yes"]
        assert server.state_table()[0] == "a state per server, which is in 'locked'; the first is 'free'"


@pytest.mark.parametrize("concurrency", ["threading", "forking", "selecting", "trio"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_one_of_many_that_ask_at_once_gets_what_there_is_once(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.states(start="free", per="server")
        server.on(b"LOCK", state="free").reply(b"yes", then="locked")
        server.on(b"LOCK", state="locked").reply(b"no!")
        clients = [connect(server) for _ in range(8)]
        for each in clients:
            each.sendall(b"LOCK")
        answers = [receive(each, 3) for each in clients]
        for each in clients:
            each.close()

        assert sorted(answers) == [b"no!"] * 7 + [b"yes"]


@pytest.mark.parametrize("options", [{"tls": True}, {"relay": True}, {"tls": True, "relay": True}], ids=str)
@pytest.mark.parametrize("concurrency", ["threading", "forking", "selecting"])
def test_states_hold_behind_a_relay_and_in_tls(concurrency: str, options: dict[str, Any]) -> None:
    with windsock.serving(concurrency=concurrency, **options) as server:
        with_login(server)
        with server.connect() as client:
            client.send(b"NOOP").expect(b"200!").send(b"USER").expect(b"331!")
            client.send(b"PASSLIST").expect(b"230!150!")


@on_every_datagram_kind
def test_a_datagram_clients_state_holds_behind_a_relay(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, relay=True) as server:
        with_login(server)
        with connect(server) as one, connect(server) as other:
            for client in (one, other):
                for question, answer in (
                    (b"NOOP", b"200!"),
                    (b"USER", b"331!"),
                    (b"PASS", b"230!"),
                    (b"LIST", b"150!"),
                ):
                    client.sendall(question)
                    assert client.recv(10) == answer


# --- replies that lead to a state


@on_every_stream_kind
def test_each_reply_of_a_rule_may_lead_elsewhere(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        rule = server.on(b"more").reply(b"1\n", times=1, then="second").then(b"2\n", then="third")
        server.on(b"where", state="second").reply_with(lambda _: b"in second\n", then="start")
        server.on(b"where", state="third").play(Script().send(b"in third\n"), then="start")
        server.on(b"where", state="start").reply(b"at the start\n")

        lines = exchange(server, b"where\nmore\nwhere\nwhere\nmore\nwhere\nwhere\n", half_close=True)
        assert lines == b"at the start\n1\nin second\nat the start\n2\nin third\nat the start\n"
        assert rule.code == r"on(b'more').reply(b'1\n', then='second', times=1).then(b'2\n', then='third')"


def test_a_rule_may_be_for_several_states() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"next", state="start").reply(b"1\n", then="middle")
        server.on(b"next", state=["middle", "end"]).reply(b"2\n", then="end")

        assert exchange(server, b"next\nnext\nnext\n", half_close=True) == b"1\n2\n2\n"
        assert server.fake is not None
        assert server.fake.rules[1].start == "on(b'next', state=('middle', 'end'))"


def test_the_transcript_shows_where_a_state_begins_and_the_table_of_the_rules() -> None:
    with windsock.serving(framing="lines", allow_unused=True) as server:
        with_login(server)
        assert exchange(server, b"NOOP\nUSER\nNOOP\n", half_close=True) == b"200!331!200!"
        server.connections.wait(1)
        text = server.transcript()

    assert [each.partition(" ")[2] for each in text if "note" in each] == ["#0 note: is in state 'user given'"]
    assert text[-6:] == [
        "a state per connection; the first is 'start'",
        "in state    rule     then        matched",
        "start       b'USER'  user given  1 time",
        "user given  b'PASS'  logged in   never",
        "logged in   b'LIST'              never",
        "(any)       b'NOOP'              2 times",
    ]


@pytest.mark.parametrize("concurrency", ["threading", "forking"])
def test_the_table_can_be_read_when_the_server_is_stopped(concurrency: str) -> None:
    server = windsock.serving(concurrency=concurrency)
    server.states(start="a", per="server")
    server.on(b"x").reply(b"y", then="b")
    assert ask(server, b"x") == [b"y"]
    server.finish()

    assert server.state_table() == [
        "a state per server, which is in 'b'; the first is 'a'",
        "in state  rule  then  matched",
        "(any)     b'x'  b     1 time",
    ]


# --- what is wrong


@on_every_kind
def test_a_message_in_the_wrong_state_is_said_to_be_that(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency, allow_unused=True)
    with_login(server)
    with connect(server) as client:
        client.sendall(b"PASS")
        wait_for_error(server)

    whose = "connection" if transport in ("tcp", "unix_stream") else "client"
    (text,) = failures_of(server)
    assert text.splitlines()[:2] == [
        "received b'PASS', which no rule or reply answers; the closest of 4:",
        f"  on(b'PASS', state='user given'): matches, but only in state 'user given' (the {whose} is in 'start')",
    ]


def test_a_state_that_no_rule_leads_to_is_named_with_the_close_ones() -> None:
    server = windsock.serving(framing="lines", allow_unused=True)
    server.on(b"USER").reply(b"331\n", then="user given")
    server.on(b"PASS", state="usr given").reply(b"230\n")
    assert ask(server, b"USER\n") == [b"331\n"]
    with connect(server) as client:
        client.sendall(b"USER\nPASS\n")
        wait_for_error(server)

    why = "no rule leads to the state 'usr given'; did you mean 'user given'?"
    (text,) = failures_of(server)
    where = "matches, but only in state 'usr given' (the connection is in 'user given')"
    assert text.splitlines()[1] == f"  on(b'PASS', state='usr given'): {where}; {why}"


@pytest.mark.parametrize("allow_unused", [False, True])
def test_rules_that_no_message_can_reach_fail_the_test_once(allow_unused: bool) -> None:
    server = windsock.serving(framing="lines", allow_unused=allow_unused)
    server.on(b"A", state="start").reply(b"1", then="on")
    server.on(b"B", state="off").reply(b"2", then="far")
    server.on(b"C", state="far").reply(b"3", then="off")
    server.on(b"A", state="on").reply(b"4\n")
    assert exchange(server, b"A\nA\n", half_close=True) == b"14\n"

    assert failures_of(server) == [
        "on(b'B', state='off').reply(b'2', then='far'): no message can reach this rule: "
        "no rule leads to the state 'off'; rules lead to 'on', 'start'",
        "on(b'C', state='far').reply(b'3', then='off'): no message can reach this rule: "
        "no rule leads to the state 'far'; rules lead to 'on', 'start'",
    ]


def test_a_rule_behind_another_one_for_the_same_in_its_state_fails_the_test() -> None:
    server = windsock.serving(framing="lines")
    server.on(re.compile(b"x")).reply(b"1\n", then="b")
    server.on(re.compile(b"x"), state="b").reply(b"2\n")
    assert exchange(server, b"x\n", half_close=True) == b"1\n"

    (text,) = failures_of(server)
    assert text == (
        r"on(re.compile(b'x'), state='b').reply(b'2\n'): no message can reach this rule: "
        r"on(re.compile(b'x')).reply(b'1\n', then='b') stands before it, and takes all such messages in 'b'"
    )


def test_rules_for_the_same_that_are_not_for_all_of_it_are_no_error() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"x", state="a").reply(b"0\n", times=1).optional()
        server.on(b"x", state="start", first=True).reply(b"1\n", times=1, then="a")
        server.on(b"x", state="start", connections=1).reply(b"2\n")
        server.on(b"x", state="start", after=1).reply(b"3\n").optional()
        server.on(b"x", state="start").reply(b"4\n", then="a").optional()
        assert exchange(server, b"x\nx\n", half_close=True) == b"1\n0\n"
        assert exchange(server, b"x\n", half_close=True) == b"2\n"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda s: s.on(b"x", state=""), "on(state=''): expected the name of a state, such as 'logged in'"),
        (lambda s: s.on(b"x", state=3), "on(state=3): expected the name of a state, or several of them"),
        (lambda s: s.on(b"x", state=()), "on(state=()): expected the name of a state, or several of them"),
        (lambda s: s.on(b"x", state=["a", None]), "on(state=None): expected the name of a state, such as 'logged in'"),
        (lambda s: s.on(b"x").reply(b"y", then=1), "reply(then=1): expected the name of a state, such as 'logged in'"),
        (lambda s: s.states(per="thread"), "states(per='thread'): expected 'connection' or 'server'"),
        (lambda s: s.states(start=""), "states(start=''): expected the name of a state, such as 'logged in'"),
        (
            lambda s: (s.on(b"x", state="a"), s.states(start="a")),
            "states(start='a', per='connection'): call it once, before the first rule that names a state",
        ),
        (
            lambda s: (s.states(), s.states(per="server")),
            "states(start='start', per='server'): call it once, before the first rule that names a state",
        ),
    ],
)
def test_what_is_no_state_is_said_to_be_none(call: Any, text: str) -> None:
    with windsock.serving(framing="lines", strict=False) as server, pytest.raises(windsock.UsageError) as caught:
        call(server)

    assert str(caught.value).startswith(text)


def test_a_message_is_counted_once_when_another_one_changes_the_state_meanwhile() -> None:
    replies = FakeReplies(forks=False, is_datagram=True)
    responder = Responder(replies, None, is_datagram=True)
    replies.states.choose("a", "server")

    def meddle(message: bytes) -> bool:
        if message == b"m" and replies.states.of_server() == "a":
            responder.answer(b"other", 1)
        return message == b"m"

    passed_over = replies.rule(b"m", RuleOptions(after=5)).reply(b"0")
    left_out = replies.rule(meddle, RuleOptions(states=("a",))).reply(b"1")
    replies.rule(b"other", RuleOptions()).reply(b"-", then="b")
    replies.rule(b"m", RuleOptions(states=("b",))).reply(b"2")

    assert responder.answer(b"m", 0) == Answer(b"2")
    assert (passed_over.matches, left_out.matches) == (1, 0)


# --- the memory of states


@both
def test_a_state_changes_only_from_the_expected_one(across_processes: bool) -> None:
    cells = StateCells(across_processes=across_processes)
    assert cells.change("a", 0, lambda: 2)
    assert not cells.change("a", 0, lambda: pytest.fail("is not called"))
    assert cells.change("a", 2, lambda: None)
    assert cells.change(("b", 1), 0, lambda: 1)

    assert [cells.now(each) for each in ("a", ("b", 1), "c")] == [2, 1, 0]
    cells.close()
    assert [cells.now(each) for each in ("a", ("b", 1), "c")] == [2, 1, 0]


def test_forked_children_and_their_parent_see_the_same_states() -> None:
    cells = StateCells(across_processes=True)
    for number in range(20):
        os.waitpid(forked(partial(count_up, cells, number)), 0)

    assert [cells.now(each) for each in range(21)] == [*range(1, 21), 0]
    cells.close()


def count_up(cells: StateCells, number: int) -> None:
    cells.change(number, 0, lambda: number + 1)


def test_too_many_states_are_said_to_be_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windsock.fakes.state_cells.MOST", 4)
    cells = StateCells(across_processes=True)
    for number in range(4):
        cells.change(number, 0, lambda: 1)

    with pytest.raises(windsock.UsageError, match="can keep the states of 4 connections or clients"):
        cells.change(4, 0, lambda: 1)
    cells.close()
