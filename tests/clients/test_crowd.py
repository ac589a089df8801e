"""Many clients at once, and the one summary of what became of them."""

from __future__ import annotations

import socket
import threading
import time
from time import monotonic

import pytest

import windsock
from tests.clients.helpers import KINDS, Prefixed, each, serving
from tests.support.handlers import UpperLines
from tests.support.waiting import DEADLINE, HOUR, ends_in_time
from windsock import CrowdFailed, Script, ScriptMismatch, ScriptTimeout, UsageError
from windsock.clients.connect_options import ConnectOptions
from windsock.clients.connector import connector_to
from windsock.clients.crowd import crowd
from windsock.clients.summary import CrowdMember, CrowdSummary


def numbered(index: int) -> Script:
    return Script().send(b"client %d" % index).expect(b"client %d" % index)


@each(KINDS)
def test_everybody_gets_their_own_answer(kind: str) -> None:
    with serving(kind).echo() as server:
        summary = server.crowd(20, numbered, timeout=30)

        assert summary.met == len(summary) == 20
        assert summary.failures == []
        assert len(server.connections) == 20


@each(["tcp", "selecting", "trio", "unix_stream"])
def test_a_long_conversation(kind: str) -> None:
    script = Script().loop(Script().send(b"one\n", pieces=2, every=0.001).expect(b"ONE\n"), times=5)
    with serving(kind, UpperLines) as server:
        summary = server.crowd(30, script.half_close().expect_eof(), spread=0.05)

        assert summary.outcomes == {"eof": 30}
        assert summary.seconds >= 0.04
        assert summary.fastest <= summary.median <= summary.p99 <= summary.slowest <= summary.seconds


def test_a_timeout_that_ends_while_another_client_has_the_loop_finds_what_has_come() -> None:
    released = threading.Event()

    def handle(request: socket.socket, *_: object) -> None:
        if request.recv(1) == b"w":
            released.wait(DEADLINE)
        request.sendall(b"in time")

    def block(_: bytes) -> bytes:
        released.set()
        time.sleep(1.1)
        return b"over"

    waits = Script().send(b"w").expect(b"in time", timeout=1.0)
    blocks = Script().send(b"b").expect(b"in time").send(block)
    with windsock.serving(handle) as server:
        summary = server.crowd(2, lambda index: blocks if index else waits)

        assert summary.met == 2


@pytest.mark.parametrize("tls", [True, "starttls"])
def test_a_server_that_serves_one_after_the_other_shakes_hands_with_all(tls: bool | str) -> None:
    with windsock.serving(concurrency="sync", tls=tls) as server:
        secured = Script() if tls is True else Script().start_tls()
        server.play_all(secured.expect(b"a").send(b"b"))

        with ends_in_time():
            summary = server.crowd(20, secured.send(b"a").expect(b"b").close(), timeout=HOUR)

        assert summary.met == 20


@pytest.mark.parametrize("begins", [True, False])
def test_handshakes_that_nobody_answers_take_the_time_of_one(begins: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        line = connector_to(silent.getsockname()[:2], ConnectOptions(tls=begins, timeout=0.3))
        script = Script().send(b"x") if begins else Script().start_tls()

        with ends_in_time():  # one after the other they take longer than that
            summary = crowd(line, 50, script, strict=False)

        assert summary.outcomes == {"timeout": 50}
        words = "no handshake within 0.3 s" if begins else "start_tls(): the other end did not do its part"
        assert all(words in str(failure) for _, failure in summary.failures)


def test_messages_that_the_kernel_does_not_take_at_once() -> None:
    size = 1_000_000
    with windsock.serving(concurrency="selecting").echo() as server:
        summary = server.crowd(4, Script().send(bytes(size)).expect(size))

        assert summary.met == 4


def test_all_kinds_of_steps() -> None:
    event = threading.Event()
    slow = Script().wait_for(event).send(b"one\n").stall().pause(0.01).resume().read_rate(100)
    script = slow.expect(b"ONE\n").read_rate(None).expect_silence(0.01).urgent(b"!").reset()
    with windsock.serving(UpperLines) as server:
        timer = threading.Timer(0.03, event.set)
        timer.start()

        summary = server.crowd(5, script)

        timer.join()
        assert summary.met == 5
        assert summary.outcomes == {"closed": 5}


def test_failures_are_raised_together_with_the_summary() -> None:
    with windsock.serving() as server:
        server.on(b"x").reply(b"no")

        with pytest.raises(CrowdFailed) as caught:
            server.crowd(5, Script().send(b"x").expect(b"yes"))

    assert [type(each) for each in caught.value.exceptions] == [ScriptMismatch]
    assert caught.value.exceptions[0].__traceback__ is None
    assert len(caught.value.summary.failures) == 5
    assert caught.value.summary.met == 0
    assert "0 of 5 clients met their script" in str(caught.value)
    assert "client #0 of a crowd of 5" in str(caught.value.exceptions[0].__notes__)
    assert "5 failed (#0, #1, #2, ...): step 2, expect(b'yes'): " in str(caught.value.summary)


def test_a_failure_of_one_is_not_that_of_the_others() -> None:
    script = Script().send(b"one\n").expect(b"ONE\n")
    with windsock.serving(UpperLines) as server:
        with ends_in_time():
            summary = server.crowd(
                5, lambda index: script if index else Script().expect(b"never", timeout=0.1), strict=False, timeout=HOUR
            )

        assert summary.met == 4
        assert [(index, type(failure)) for index, failure in summary.failures] == [(0, ScriptTimeout)]
        assert summary.outcomes == {"closed": 4, "timeout": 1}


def test_what_happens_to_a_crowd_has_words() -> None:
    with windsock.serving(tls=True) as server:
        summary = server.crowd(3, Script().send(b"plain\n").expect_eof(discard=True), tls=False)
        assert summary.outcomes == {"eof": 3}
    with windsock.serving() as server, server.outage():
        summary = server.crowd(3, Script().send(b"x"), strict=False)
        assert summary.outcomes == {"refused": 3}
        assert summary.met == 0


def test_a_crowd_that_dies_in_the_middle_of_its_messages() -> None:
    with windsock.serving(Prefixed, concurrency="selecting") as server:
        server.crowd(20, Script().send(b"\0\5hel").reset())
        server.crowd(20, Script().send(b"\0\5hel").half_close().expect(b"3"))


def test_a_summary_prints_well() -> None:
    members = [CrowdMember(index, 0.01 * (index + 1), "closed") for index in range(4)]
    members.append(CrowdMember(4, 1.0, "timeout", ValueError("too late\nmore of it")))

    assert str(CrowdSummary(tuple(members), 1.25)) == (
        "4 of 5 clients met their script, 1.250 s in all\n"
        "  seconds each: min 0.0100, median 0.0250, p99 0.0400, max 0.0400\n"
        "  outcomes: 4 closed, 1 timeout\n"
        "  1 failed (#4): too late"
    )


def test_failures_that_differ_in_numbers_are_one_kind() -> None:
    errors = [ValueError(f"client {index} waited {index / 10} s") for index in range(4)]
    members = [CrowdMember(index, 1.0, "timeout", error) for index, error in enumerate([*errors, KeyError("other")])]
    summary = CrowdSummary(tuple(members), 1.25)

    with pytest.raises(CrowdFailed) as caught:
        summary.check()

    assert str(summary).splitlines()[2:] == [
        "  4 failed (#0, #1, #2, ...): client 0 waited 0.0 s; the others with other numbers",
        "  1 failed (#4): 'other'",
    ]
    assert [str(each) for each in caught.value.exceptions] == ["client 0 waited 0.0 s", "'other'"]


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((0, Script()), {}, "whole number, 1 or more"),
        ((2, b"x"), {}, "expected a Script, or a function"),
        ((2, lambda index: index), {}, "the function returned 0 for index 0"),
        ((2, Script()), {"spread": -1}, "0 or more"),
        ((2, Script()), {"speed": 1}, "speed"),
    ],
)
def test_crowds_that_can_not_be(arguments: tuple[object, ...], options: dict[str, object], words: str) -> None:
    with windsock.serving() as server, pytest.raises((UsageError, TypeError), match=words):
        server.crowd(*arguments, **options)  # type: ignore[arg-type]  # on purpose


def test_a_mistake_in_the_script_ends_it_and_leaves_nothing() -> None:
    with windsock.serving() as server, pytest.raises(UsageError, match="half_close"):
        server.crowd(5, Script().half_close().send(b"x"))


def test_ctrl_c_ends_a_crowd_and_leaves_nothing() -> None:
    asked = []

    class Interrupted(threading.Event):
        def is_set(self) -> bool:
            asked.append(self)
            if len(asked) == 5:
                raise KeyboardInterrupt
            return False

    event = Interrupted()
    with windsock.serving() as server:
        with pytest.raises(KeyboardInterrupt):
            server.crowd(5, Script().wait_for(event))

        assert [each.ending for each in server.connections.wait(5)] == ["client EOF"] * 5


def test_a_flush_that_takes_long_does_not_hold_up_the_others() -> None:
    script = Script().send(bytes(100_000)).reset(flush=True)
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        line = connector_to(silent.getsockname(), ConnectOptions(timeout=0.3, send_buffer=200_000))

        summary = crowd(line, 5, script, strict=False)

    assert summary.outcomes == {"timeout": 5}
    assert "have not been taken" in str(summary.failures[0][1])
    assert summary.seconds < 1.4


def test_the_time_of_the_test_bounds_a_crowd() -> None:
    from windsock.net import deadlines

    before = deadlines.latest()
    with socket.create_server(("127.0.0.1", 0)), windsock.serving() as server:
        deadlines.limit_until(monotonic() + 0.2)
        try:
            with ends_in_time():
                summary = server.crowd(3, Script().expect(b"x", timeout=HOUR), strict=False)
        finally:
            deadlines.limit_until(before)

    assert summary.outcomes == {"timeout": 3}
