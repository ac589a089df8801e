"""requests: waiting for what a test asserts on, and what is said when it does not come."""

from __future__ import annotations

import re
import socket
import threading
from typing import Any

import pytest

import windsock
from tests.support.processes import ended_well, forked
from tests.support.servers import Signal, ask, connect, on_every_concurrency, on_every_kind_and_records
from tests.support.waiting import DEADLINE, wait_until
from windsock.net import addresses
from windsock.recording import Recorder, Requests, framing_from
from windsock.recording.events import Kind
from windsock.recording.request_source import RequestSource
from windsock.recording.store.spill_file import SpillFile

TIME = re.compile(r"\+\d+\.\d{4}")


def said(error: windsock.WindsockError, client: socket.socket) -> str:
    """Return the message without what is different each time."""
    return TIME.sub("+TIME", str(error)).replace(addresses.show(client.getsockname()), "CLIENT")


def test_only_returns_the_one_request() -> None:
    with windsock.serving().echo() as server:
        ask(server, b"one")

        assert server.requests.only().data == b"one"


def test_only_says_what_there_is_beside_it() -> None:
    with windsock.serving(framing="lines") as server, connect(server) as client:
        server.reply(b"ok", times=None)
        client.sendall(b"one\ntwo\n")
        server.requests.wait(2)
        wait_until(lambda: server.requests[1].reply == b"ok")
        with pytest.raises(windsock.RequestMismatch) as caught:
            server.requests.only()

        assert said(caught.value, client) == (
            "expected exactly 1 request, not 2; recorded:\n"
            "  +TIME #0 from CLIENT\n"
            "  +TIME #0 > 8 B b'one\\ntwo\\n'\n"
            "  +TIME #0 < 4 B in 2 pieces, until +TIME: b'okok'"
        )


@on_every_concurrency
@pytest.mark.parametrize("how", ["half_close", "close", "reset"])
def test_only_does_not_wait_for_the_rest_of_a_message_whose_connection_has_ended(concurrency: str, how: str) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines", timeout=3600.0) as server:
        with server.connect() as client:
            client.send(b"half a line")
            wait_until(lambda: server.connections and server.connections[0].upstream)
            getattr(client, how)()
            if how == "half_close":
                client.expect_end()
        with pytest.raises(windsock.RequestMismatch) as caught:
            server.requests.only()

    assert str(caught.value).startswith("expected a complete request, but its connection has ended; recorded:\n")


def test_only_takes_a_message_that_comes_just_before_the_end() -> None:
    with windsock.serving(framing="lines") as server:
        with connect(server) as client:
            client.sendall(b"a line\n")
        assert server.requests.only().data == b"a line\n"


def test_only_says_that_there_is_none() -> None:
    with windsock.serving() as server:
        with pytest.raises(windsock.RequestTimeout) as caught:
            server.requests.only(timeout=0.01)

        assert str(caught.value) == "waited 0.01 s for a request; recorded:\n  nothing was recorded"


def test_only_says_what_makes_an_open_request_complete() -> None:
    with windsock.serving() as server, connect(server) as client:
        client.sendall(b"begun")
        wait_until(lambda: len(server.requests) > 0)
        with pytest.raises(windsock.RequestTimeout) as caught:
            server.requests.only(timeout=0.01)

        assert said(caught.value, client) == (
            "waited 0.01 s for the only request to be complete or answered; recorded:\n"
            "  +TIME #0 from CLIENT\n"
            "  +TIME #0 > 5 B b'begun'\n"
            "(without framing= a request is all that one connection sends, and is complete when the connection ends; "
            "close the client first, or say where a message ends (framing='lines', ...))"
        )


def test_wait_says_how_many_came_instead() -> None:
    with windsock.serving(framing="lines") as server, connect(server) as client:
        client.sendall(b"one\n")
        server.requests.wait()
        with pytest.raises(windsock.RequestTimeout) as caught:
            server.requests.wait(3, timeout=0.01)

        assert said(caught.value, client) == (
            "waited 0.01 s for 3 complete requests, got 1; recorded:\n"
            "  +TIME #0 from CLIENT\n"
            "  +TIME #0 > 4 B b'one\\n'"
        )
        assert caught.value.seconds == 0.01


def test_none_says_what_came() -> None:
    with windsock.serving() as server, connect(server) as client:
        server.requests.none()
        client.sendall(b"surprise")
        with pytest.raises(windsock.RequestMismatch) as caught:
            server.requests.none(settle=5)

        assert said(caught.value, client) == (
            "expected no request; recorded:\n  +TIME #0 from CLIENT\n  +TIME #0 > 8 B b'surprise'"
        )


def test_the_servers_timeout_bounds_a_wait_that_says_none() -> None:
    with (
        windsock.serving(timeout=0.05) as server,
        pytest.raises(windsock.RequestTimeout, match=r"waited 0\.05 s for 1"),
    ):
        server.requests.wait()


@on_every_kind_and_records
def test_a_wait_ends_when_what_it_waits_for_has_come(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        found: list[Any] = []
        waiting = threading.Thread(target=lambda: found.extend(server.requests.wait(2)))
        waiting.start()
        with connect(server) as client:
            client.sendall(b"one\n")
            client.sendall(b"two\n")
            waiting.join(5)

        assert [each.data for each in found] == [b"one\n", b"two\n"]


def test_a_wait_for_a_child_does_not_poll(signals: list[Signal], monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.recv(100)
        signals[0].set()
        request.recv(100)

    looks = 0
    catch_up = Recorder.catch_up

    def counting(recorder: Recorder) -> None:
        nonlocal looks
        looks += 1
        catch_up(recorder)

    with windsock.serving(handler, concurrency="forking", framing="lines") as server, connect(server) as client:
        client.sendall(b"begin")
        signals[0].wait()
        monkeypatch.setattr(Recorder, "catch_up", counting)
        with pytest.raises(windsock.RequestTimeout):
            server.requests.wait(timeout=0.3)
        assert looks < 20
        client.sendall(b"ning\n")
        assert server.requests.wait()[0].data == b"beginning\n"


def test_two_threads_may_wait_for_children_at_once() -> None:
    with windsock.serving(concurrency="forking", framing="lines").echo() as server:
        found: list[int] = []
        waiting = [threading.Thread(target=lambda: found.append(len(server.requests.wait(3)))) for _ in range(3)]
        for thread in waiting:
            thread.start()
        for _ in range(3):
            ask(server, b"x\n")
        for thread in waiting:
            thread.join(5)

        assert len(found) == 3


@on_every_concurrency
def test_a_server_that_is_stopped_during_a_wait_does_no_harm(concurrency: str) -> None:
    failures: list[BaseException] = []

    def wait(server: windsock.RunningServer) -> None:
        try:
            server.requests.wait(5, timeout=0.3)
        except windsock.RequestTimeout:
            pass
        except BaseException as error:
            failures.append(error)

    with windsock.serving(concurrency=concurrency, framing="lines").echo() as server:
        ask(server, b"x\n")
        waiting = threading.Thread(target=wait, args=[server])
        waiting.start()
        server._recorder.waiters.wait_until(lambda: len(server._recorder.waiters) > 1, 5)
        server.stop()
        waiting.join(5)

    assert failures == []


def test_requests_are_a_sequence() -> None:
    with windsock.serving(framing=1).echo() as server:
        ask(server, b"a", b"b", b"c")
        server.requests.wait(3)

        assert len(server.requests) == 3
        assert server.requests[-1].data == b"c"
        assert [each.data for each in server.requests[:2]] == [b"a", b"b"]
        assert [each.data for each in server.requests] == [b"a", b"b", b"c"]
        assert len(server.requests[0]) == 1
        assert repr(server.requests) == "<requests: [<request #0.0 b'a'>, <request #0.1 b'b'>, <request #0.2 b'c'>]>"


def test_a_framing_that_fails_is_told_to_the_test() -> None:
    def broken(data: bytes) -> int:
        raise LookupError("where does it end?")

    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.recv(10)

    with windsock.serving(handler, framing=broken) as server, connect(server) as client:
        client.sendall(b"x")
        with pytest.raises(windsock.FramingError, match="where does it end") as caught:
            server.requests.wait()

    assert isinstance(caught.value.__cause__, LookupError)


def test_a_transcript_shows_what_happened_and_is_bounded() -> None:
    with windsock.serving(framing="lines").echo() as server:
        with connect(server) as client:
            ask_in_turn(client, 100)
            client.shutdown(socket.SHUT_WR)
            client.recv(1)
        server.stop()
        lines = [TIME.sub("+TIME", line) for line in server.transcript()]

        assert len(lines) == 60
        assert lines[1:3] == ["+TIME #0 > 5 B b'000\\r\\n'", "+TIME #0 < 5 B b'000\\r\\n'"]
        assert re.fullmatch(r"\.\.\. 14\d more lines \.\.\.", lines[20])
        assert lines[-1] == "+TIME #0 ended: client EOF"


def ask_in_turn(client: socket.socket, count: int) -> None:
    for number in range(count):
        client.sendall(b"%03d\r\n" % number)
        assert client.recv(100) == b"%03d\r\n" % number


def test_a_transcript_cuts_long_data() -> None:
    with windsock.serving() as server:
        with connect(server) as client:
            client.sendall(b"x" * 100)
        server.requests.wait()

        assert any(line.endswith(f"> 100 B {b'x' * 48!r}...") for line in server.transcript())


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # from 3.12 on; it is our own fork
def test_other_forks_of_the_process_do_no_harm() -> None:
    with windsock.serving().echo() as server:
        assert ended_well(forked(lambda: None))

        assert ask(server, b"x") == [b"x"]
        assert server.requests.only().data == b"x"


def test_the_start_of_a_handshake_is_no_request_even_if_it_was_one_at_an_earlier_look() -> None:
    recorder = Recorder()
    connection = recorder.open(("127.0.0.1", 1))
    requests = Requests(RequestSource(recorder, framing_from("lines"), is_datagram=False), timeout=lambda: 5.0)
    connection.note(Kind.UP, b"HELO\nSTARTTLS\n\x16\x03\n\x00\n\x01")
    connection.note(Kind.DOWN, b"go\n")
    connection.note(Kind.UP, b"\n\x02")
    assert len(requests) == 5

    connection.retract_up(8)
    connection.note(Kind.UP, b"NOOP\n")
    connection.note(Kind.DOWN, b"OK\n")

    assert [each.data for each in requests] == [b"HELO\n", b"STARTTLS\n", b"NOOP\n"]
    assert [each.reply for each in requests] == [b"", b"go\n", b"OK\n"]
    assert connection.upstream == b"HELO\nSTARTTLS\nNOOP\n"
    assert b"".join(each.data for each in connection.chunks) == b"HELO\nSTARTTLS\ngo\nNOOP\nOK\n"
    connection.spill(SpillFile())
    assert connection.upstream == b"HELO\nSTARTTLS\nNOOP\n"
    assert [each.data for each in requests] == [b"HELO\n", b"STARTTLS\n", b"NOOP\n"]


def test_ctrl_c_at_the_end_of_a_wait_stays_ctrl_c() -> None:
    recorder = Recorder()

    def interrupted() -> bool:
        recorder.waiters.__exit__()  # as Condition.wait() leaves its lock if Ctrl-C comes just before it has it back
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        recorder.waiters.wait_until(interrupted, 1)

    assert caught.value.__context__ is None
    others = threading.Thread(target=recorder.wake)
    others.start()
    others.join(DEADLINE)
    assert not others.is_alive()


def test_a_secret_that_an_earlier_message_announces_is_not_shown() -> None:
    with windsock.serving(framing="lines").echo() as server:
        ask(server, b"AUTH LOGIN\r\n", b"dXNlcg==\r\n", b"aGk=\r\n", b"NOOP\r\n")

        assert [re.sub(rb"\*+", b"*", each.shown_beginning()) for each in server.requests] == [
            b"AUTH LOGIN\r\n",
            b"*\r\n",
            b"*\r\n",
            b"NOOP\r\n",
        ]
        assert server.requests[2].data == b"aGk=\r\n"
