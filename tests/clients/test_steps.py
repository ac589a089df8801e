"""A scripted client takes its steps one by one, against servers of every kind."""

from __future__ import annotations

import re
import threading
from time import monotonic

import pytest

import windsock
from tests.clients.helpers import DATAGRAMS, KINDS, STREAMS, each, serving
from tests.support.handlers import UpperLines
from tests.support.processes import run_python
from tests.support.waiting import wait_until
from windsock import Script, ScriptMismatch, ScriptTimeout, UsageError


@each(KINDS)
def test_what_is_sent_comes_back(kind: str) -> None:
    with serving(kind).echo() as server:
        with server.connect() as client:
            client.send(b"hello").expect(b"hello").send(b"again").expect(re.compile(rb"ag.*n"), length=5)

            assert client.unread == b""
            assert client.peer == server.address
            assert client.outcome == "open"
        assert client.outcome == "closed"


@each(STREAMS)
def test_half_close_and_the_end_of_the_other_side(kind: str) -> None:
    with serving(kind, UpperLines) as server, server.connect() as client:
        client.send(b"one\ntwo\n").half_close().expect(b"ONE\n").expect(b"TWO\n").expect_eof()

        assert client.outcome == "eof"
        client.close()
        assert client.outcome == "eof"
        server.stop()
        assert server.connections[0].ending == "client EOF"


@each(STREAMS)
def test_more_than_the_kernel_takes_goes_both_ways(kind: str) -> None:
    size = 3_000_000
    with serving(kind).echo() as server, server.connect() as client:
        client.send(bytes(size)).expect(size)

        assert server.connections[0].upstream == bytes(size)


@each(DATAGRAMS)
def test_datagrams_keep_their_edges(kind: str) -> None:
    with serving(kind).echo() as server, server.connect() as client:
        client.send(b"one").send(b"").send(b"three")
        wait_until(lambda: len(client.pause(0.01).datagrams) == 3)

        assert sorted(client.datagrams) == [b"", b"one", b"three"]
        assert client.outcome == "open"


@each(["tcp", "tls", "unix_stream"])
def test_a_script_is_played_in_one_go(kind: str) -> None:
    script = Script().send(b"ping", pieces=2, every=0.01).expect(b"ping")
    with serving(kind).echo() as server:
        with server.connect() as client:
            client.play(script).play(Script().loop(script, times=2))

        assert server.connections[0].upstream == b"ping" * 3


def test_a_dribble_arrives_in_pieces() -> None:
    with windsock.simulated(), windsock.serving().echo() as server:  # where no thread is late
        with server.connect() as client:
            client.send(b"abc", every=0.03).expect(b"abc")

        chunks = [chunk.data for chunk in server.connections[0].chunks if chunk.direction == "upstream"]
        assert chunks == [b"a", b"b", b"c"]


def test_failures_count_the_steps_of_the_client() -> None:
    with windsock.serving().echo() as server, server.connect() as client:
        client.send(b"one").expect(b"one").send(b"two")

        with pytest.raises(ScriptMismatch, match=r"^step 4, expect\(b'TWO'\): "):
            client.expect(b"TWO")


def test_the_name_of_a_client_is_in_its_failures() -> None:
    with windsock.serving() as server, server.connect(name="alice") as client:
        with pytest.raises(ScriptTimeout, match=r"^alice, step 1, expect\(b'x', timeout=0\.05\): "):
            client.expect(b"x", timeout=0.05)

        assert client.outcome == "timeout"
        assert "alice" in repr(client)


def test_the_short_way_leaves_the_same_traces_as_a_script() -> None:
    with windsock.serving().echo() as server, server.connect() as quick, server.connect() as played:
        quick.send(b"hello").expect(b"hello")
        played.play(Script().send(b"hello").expect(b"hello"))

        for one, other in zip(quick.deeds, played.deeds, strict=True):
            assert (one.what, one.size, one.data) == (other.what, other.size, other.data)
        assert quick.end.inbox.taken == played.end.inbox.taken == 5
        assert quick.end.inbox.sent == played.end.inbox.sent == 5


def test_an_event_is_waited_for_while_bytes_are_read() -> None:
    event = threading.Event()
    with windsock.serving().echo() as server, server.connect() as client:
        client.send(b"hello")
        timer = threading.Timer(0.05, event.set)
        timer.start()
        client.wait_for(event)
        timer.join()

        assert client.unread == b"hello"


@pytest.mark.parametrize(
    "step", ["send", "expect", "play", "half_close", "close", "reset", "half_handshake", "close_without_notify"]
)
def test_a_closed_client_takes_no_more_steps(step: str) -> None:
    arguments: dict[str, list[object]] = {"send": [b"x"], "expect": [b"x"], "play": [Script().pause(0)]}
    with windsock.serving() as server:
        client = server.connect()
        client.close()

        with pytest.raises(UsageError, match="this client is closed; make another one"):
            getattr(client, step)(*arguments.get(step, []))


def test_a_script_that_goes_on_after_its_close_is_told_so() -> None:
    refused = pytest.raises(UsageError, match="gone after close")
    with windsock.serving() as server, server.connect() as client, refused:
        client.play(Script().close().expect(b"x"))


def test_nothing_can_be_sent_after_a_half_close() -> None:
    with windsock.serving(UpperLines) as server, server.connect() as client:
        client.half_close()

        with pytest.raises(UsageError, match=r"^send\(b'x'\): this end has been half-closed before"):
            client.send(b"x")


@each(DATAGRAMS)
def test_steps_for_streams_are_refused_by_datagrams(kind: str) -> None:
    with serving(kind) as server, server.connect() as client:
        for step in ("reset", "half_close", "expect_eof", "start_tls"):
            with pytest.raises(UsageError, match=f"{step}.*that is for streams"):
                getattr(client, step)()
        with pytest.raises(UsageError, match="too many for one datagram"):
            client.send(bytes(300_000))


def test_what_is_no_script_is_no_script() -> None:
    refused = pytest.raises(UsageError, match=r"play\(b'x'\): expected a Script")
    with windsock.serving() as server, server.connect() as client, refused:
        client.play(b"x")  # type: ignore[arg-type]  # on purpose


def test_a_read_rate_is_kept() -> None:
    size = 20_000
    with windsock.serving() as server:
        server.on(b"x").reply(bytes(size))
        with server.connect() as client:
            begun = monotonic()
            client.read_rate(100_000).send(b"x").expect(size)

            assert monotonic() - begun > 0.15
            client.read_rate(None)


def test_no_step_lasts_longer_than_the_test_may() -> None:
    from windsock.net import deadlines

    before = deadlines.latest()
    with windsock.serving() as server, server.connect(timeout=30) as client:
        deadlines.limit_until(monotonic() + 0.15)
        try:
            with pytest.raises(ScriptTimeout, match=r"nothing came within 30 s \(cut short: "):
                client.expect(b"x")
            with pytest.raises(ScriptTimeout):
                client.play(Script().pause(10))
        finally:
            deadlines.limit_until(before)


def test_the_short_way_keeps_the_deadline_of_a_client() -> None:
    with windsock.serving() as server, server.connect(timeout=0.1) as client:
        begun = monotonic()
        with pytest.raises(ScriptTimeout, match=r"^step 1, expect\(b'x'\): nothing came within 0\.1"):
            client.expect(b"x")

        assert monotonic() - begun > 0.09
        assert client.outcome == "timeout"


def test_the_short_way_and_the_long_way_take_turns() -> None:
    with windsock.serving().echo() as server, server.connect() as client:
        for number in range(3):
            client.send(b"short %d" % number).expect(b"short %d" % number)
            client.send(b"long").expect(re.compile(rb"lo.*"), length=4)
            client.play(Script().send(b"played").expect(b"pl").expect(b"ayed"))

        assert client.end.is_plain
        assert client.socket.getblocking() is False


def test_an_answer_in_pieces_is_one_answer() -> None:
    with windsock.serving() as server:
        server.on(b"x").reply(b"answer", pieces=3, every=0.02)
        with server.connect() as client:
            client.send(b"x").expect(b"answer")


def test_what_comes_behind_an_answer_stays_unread() -> None:
    with windsock.serving() as server:
        server.on(b"x").reply(b"answer, and more")
        with server.connect() as client:
            client.send(b"x").expect(b"answer")

            assert client.unread == b", and more"
            client.expect(b", and more")


def test_where_a_call_cannot_be_told_not_to_wait_there_is_no_short_way() -> None:
    program = (
        "import socket; del socket.MSG_DONTWAIT\n"
        "import windsock\n"
        "with windsock.serving() as server:\n"
        "    server.echo()\n"
        "    with server.connect() as client:\n"
        "        client.send(b'hello').expect(b'hello')\n"
        "        print(client.end.is_plain, client.outcome)\n"
    )

    assert run_python(program) == "False open\n"
