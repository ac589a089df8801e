"""A fake that plays scripts: one for the next connection, a queue of them, one for all."""

from __future__ import annotations

import contextlib
import math
import os
import resource
import signal
import socket
import threading
from itertools import product
from time import monotonic
from typing import Any

import pytest

import windsock
from tests.fakes.helpers import UNUSED, failures_of, without_times
from tests.support.servers import (
    STREAMS,
    ask,
    connect,
    exchange,
    on_every_concurrency,
    on_every_stream_kind,
    reset,
    rest_of,
    wait_for_error,
)
from tests.support.waiting import DEADLINE, wait_until
from windsock import Script, ScriptMismatch, ScriptTimeout
from windsock.harness import CONCURRENCIES
from windsock.net import deadlines

on_every_stream_and_tls = pytest.mark.parametrize(
    ("transport", "concurrency", "tls"), list(product(STREAMS, CONCURRENCIES, [None, True]))
)

MAIL = Script().send(b"220 ready\r\n").expect(b"HELO me\r\n").send(b"250 hi\r\n").expect(b"QUIT\r\n").close()


def secured(server: windsock.RunningServer, client: socket.socket) -> socket.socket:
    """Return the client, speaking TLS if its server does."""
    if server.options.encryption is None:
        return client
    return server.client_context().wrap_socket(client, server_hostname="localhost")


@on_every_stream_and_tls
def test_the_next_connection_plays_the_script(transport: str, concurrency: str, tls: Any) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, tls=tls) as server:
        server.play(MAIL)
        with server.connect() as client:
            client.expect(b"220 ready\r\n").send(b"HELO me\r\n").expect(b"250 hi\r\n").send(b"QUIT\r\n").expect_eof()

        assert server.connections[0].upstream == b"HELO me\r\nQUIT\r\n"
        assert server.connections[0].downstream == b"220 ready\r\n250 hi\r\n"


@on_every_stream_kind
def test_a_queue_is_played_by_one_connection_after_the_other(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.play(Script().send(b"1"), Script().send(b"2"))
        server.play(Script().send(b"3"))
        for number in (b"1", b"2", b"3"):
            with connect(server) as client:
                assert rest_of(client) == number


@pytest.mark.parametrize("concurrency", ["threading", "forking", "selecting", "trio"])
def test_connections_play_their_scripts_side_by_side(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.play(*(Script().expect(b"go").send(b"%d" % number) for number in range(8)))
        clients = [connect(server) for _ in range(8)]
        for client in reversed(clients):
            client.sendall(b"go")

        assert [rest_of(client) for client in clients] == [b"%d" % number for number in range(8)]
        for client in clients:
            client.close()


@on_every_stream_kind
def test_one_script_for_all_is_for_those_without_their_own(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.play_all(Script().expect(b"?").send(b"all"))
        server.play(Script().expect(b"?").send(b"own"))
        answers = []
        for _ in range(3):
            with connect(server) as client:
                client.sendall(b"?")
                answers.append(rest_of(client))

        assert answers == [b"own", b"all", b"all"]


@on_every_concurrency
def test_a_connection_without_a_script_goes_by_the_rules(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.on(b"PING").reply(b"PONG")
        server.play(Script().send(b"busy"))
        with connect(server) as client:
            assert rest_of(client) == b"busy"
        assert ask(server, b"PING") == [b"PONG"]


@on_every_stream_kind
def test_a_script_can_end_in_any_way(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.play(
            Script().expect(b"?").send(b"half").half_close().expect(b"bye").expect_eof(),
            Script().expect(b"?").send(b"reset").reset(flush=transport == "tcp"),
            Script().expect(b"?").send(b"close").close(),
        )
        with connect(server) as client:
            client.sendall(b"?")
            assert rest_of(client) == b"half"
            client.sendall(b"bye")
        with connect(server) as client:
            client.sendall(b"?")
            assert client.recv(5) == b"reset"
            if transport == "tcp":
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
        assert exchange(server, b"?") == b"close"


def test_a_pause_of_a_selecting_fake_does_not_hold_up_its_other_requests() -> None:
    event = threading.Event()
    with windsock.serving(concurrency="selecting", allow_unused=True) as server:
        server.play(
            Script().pause(30.0).send(b"late"),
            Script().wait_for(event).send(b"set"),
            Script().stall().pause(30.0),
            Script().send(b"dribble", every=10.0),
            Script().expect(b"?").send(b"now"),
        )
        slow = [connect(server) for _ in range(4)]
        assert exchange(server, b"?") == b"now"
        event.set()
        assert rest_of(slow[1]) == b"set"
        for each in slow:
            each.close()


@on_every_stream_and_tls
def test_a_mismatch_fails_the_test_once_and_shows_both_sides(transport: str, concurrency: str, tls: Any) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency, tls=tls)
    server.play(Script().expect(b"HELO").send(b"250\r\n"))
    with server.connect() as client:
        client.send(b"HELP").expect_eof()

    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    (error,) = caught.value.exceptions
    assert isinstance(error, ScriptMismatch)
    assert not hasattr(caught.value, "__notes__")
    assert without_times(str(error)) == (
        "script 1, step 1, expect(b'HELO'): bytes differ at offset 3, b'P' instead of b'O'\n"
        "           expected                           received\n"
        "  > 000000 48 45 4c 4f              HELO      48 45 4c 50              HELP\n"
        "  unread: 4 B b'HELP'\n"
        "  before:\n"
        "    T received 4 B b'HELP'"
    )
    assert server.connections[0].played == "failed at step 1 of 2, expect(b'HELO')"


@on_every_concurrency
def test_a_client_that_says_nothing_is_waited_for_until_the_deadline(concurrency: str) -> None:
    server = windsock.serving(concurrency=concurrency, timeout=0.2)
    server.play(Script().expect(b"HELO"))
    with connect(server) as client:
        assert rest_of(client) == b""
    assert server.server.wait_for_requests(DEADLINE) == []  # a child may take longer to leave than this stop may

    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    (error,) = caught.value.exceptions
    assert isinstance(error, ScriptTimeout)
    assert str(error).startswith("script 1, step 1, expect(b'HELO'): nothing came within 0.2")


@on_every_concurrency
def test_a_predicate_that_cannot_travel_between_processes_is_named_in_the_error(concurrency: str) -> None:
    server = windsock.serving(concurrency=concurrency)
    server.play(Script().expect(lambda data: data == b"yes", length=3))
    assert exchange(server, b"nay") == b""

    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    (error,) = caught.value.exceptions
    assert isinstance(error, ScriptMismatch)
    assert "step 1, expect(" in str(error)


@on_every_stream_kind
def test_what_comes_after_the_last_step_is_a_mismatch(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency)
    server.play(Script().expect(b"one\n").send(b"1"))
    with connect(server) as client:
        client.sendall(b"one\ntwo\n")
        assert client.recv(1) == b"1"
        wait_for_error(server)

    assert failures_of(server) == [
        "script 1, step 2, send(b'1'): more came after this last step\n"
        "  unread: 4 B b'two\\n', after 4 B that were read\n"
        "  before:\n"
        "    T received 8 B b'one\\ntwo\\n'\n"
        "    T sent 1 B b'1'"
    ]


def test_what_comes_after_the_script_has_closed_the_connection_is_nobodys_business() -> None:
    with windsock.serving() as server:
        server.play(Script().expect(b"one").close())
        assert exchange(server, b"onetwo") == b""


@on_every_stream_kind
def test_a_script_that_is_never_played_fails_the_test(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency)
    server.play(Script().send(b"1"), Script().send(b"2"))
    with connect(server) as client:
        assert rest_of(client) == b"1"

    assert failures_of(server) == [
        "play(): script 2 of 2: never played, no connection came for it\n  Script().send(b'2')" + UNUSED
    ]


def test_a_script_for_all_that_nobody_plays_fails_the_test() -> None:
    server = windsock.serving()
    server.play_all(Script().send(b"1"))

    assert failures_of(server) == [
        "play_all(): never played, no connection came for it\n  Script().send(b'1')" + UNUSED
    ]


@on_every_stream_and_tls
def test_a_script_that_the_stop_cuts_off_fails_the_test_with_its_state(
    transport: str, concurrency: str, tls: Any
) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency, tls=tls)
    server.play(Script().expect(b"HELO").send(b"250").expect(b"QUIT"))
    with secured(server, connect(server)) as client:
        client.sendall(b"HELO")
        assert client.recv(3) == b"250"
        server.stop()

    assert failures_of(server) == [
        "play(): script 1 of 1: not played to its end, #0 from CLIENT was at step 3 of 3, expect(b'QUIT')\n"
        "  unread: nothing, after 4 B that were read\n"
        "  before:\n"
        "    T received 4 B b'HELO'\n"
        "    T sent 3 B b'250'" + UNUSED
    ]


@on_every_concurrency
def test_a_stop_does_not_wait_for_the_end_of_a_pause(concurrency: str) -> None:
    server = windsock.serving(concurrency=concurrency)
    server.play_all(Script().send(b"1").pause(30.0))
    with connect(server) as client:
        assert client.recv(1) == b"1"
        server.stop()

    (text,) = failures_of(server)
    assert "#0 from CLIENT was at step 2 of 2, pause(30.0)" in text


@on_every_stream_kind
def test_a_loop_that_waits_for_another_round_is_no_unfinished_script(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.play_all(Script().loop(Script().expect(b"PING").send(b"PONG")))
        with connect(server) as client:
            for _ in range(3):
                client.sendall(b"PING")
                assert client.recv(4) == b"PONG"
            server.finish()

            assert server.connections[0].played == "done"


@on_every_concurrency
def test_a_loop_in_the_middle_of_a_round_is_an_unfinished_script(concurrency: str) -> None:
    server = windsock.serving(concurrency=concurrency)
    server.play_all(Script().loop(Script().expect(b"PING").send(b"PONG").expect(b"THANKS")))
    with connect(server) as client:
        client.sendall(b"PING")
        assert client.recv(4) == b"PONG"
        server.stop()

    (text,) = failures_of(server)
    assert "was at step 1.3 (round 1) of 1, expect(b'THANKS')" in text


@on_every_stream_kind
def test_one_connection_too_many_fails_the_test(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency)
    server.play(Script().send(b"1"))
    for expected in (b"1", b""):
        with connect(server) as client:
            assert rest_of(client) == expected

    assert failures_of(server) == [
        "one connection too many: the one script was for connections before it; queue another one, or use play_all()"
    ]


@on_every_stream_kind
def test_a_client_that_leaves_early_is_a_mismatch(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency)
    server.play(Script().expect(b"HELO").expect(b"QUIT"))
    with connect(server) as client:
        client.sendall(b"HELO")
    wait_for_error(server)

    (text,) = failures_of(server)
    assert text.splitlines()[0] == "script 1, step 2, expect(b'QUIT'): the other end closed (EOF) before it"


@on_every_concurrency
def test_a_client_that_resets_is_what_the_script_may_expect(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.play(Script().expect(b"x").expect_reset())
        client = connect(server)
        client.sendall(b"x")
        wait_until(lambda: server.connections and server.connections[0].upstream == b"x")
        reset(client)


def test_a_child_that_is_killed_in_the_middle_is_named_with_its_script() -> None:
    server = windsock.serving(concurrency="forking")
    server.play(Script().expect(b"HELO").send(b"250").expect(b"QUIT"))
    with connect(server) as client:
        client.sendall(b"HELO")
        assert client.recv(3) == b"250"
        os.kill(server.connections[0].pid or 0, signal.SIGKILL)
        assert client.recv(1) == b""
    wait_for_error(server)

    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    (error,) = caught.value.exceptions
    assert isinstance(error, windsock.HandlerDied)
    (note,) = caught.value.__notes__
    assert without_times(note).endswith(
        "play(): script 1 of 1: not played to its end, #0 from CLIENT ended without reporting its progress"
    )


@pytest.mark.parametrize("relaxed", [{"strict": False}, {"allow_unused": True}])
@on_every_concurrency
def test_what_is_unused_can_be_allowed(concurrency: str, relaxed: dict[str, bool]) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines", **relaxed) as server:  # type: ignore[arg-type]
        server.play(Script().send(b"1").expect(b"QUIT"), Script().send(b"2"))
        server.on(b"never").reply(b"x")
        server.reply(b"never")
        with connect(server) as client:
            assert client.recv(1) == b"1"
            server.stop()


def test_what_goes_wrong_is_not_allowed_with_what_is_unused() -> None:
    server = windsock.serving(allow_unused=True)
    server.play(Script().expect(b"HELO"))
    assert exchange(server, b"HELP") == b""

    (text,) = failures_of(server)
    assert text.startswith("script 1, step 1, expect(b'HELO'): bytes differ at offset 3")


@on_every_concurrency
def test_an_outage_is_no_fault_of_the_scripts_that_it_cuts_off(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.play_all(Script().send(b"1").expect(b"QUIT"))
        with connect(server) as client:
            assert client.recv(1) == b"1"
            with server.outage():
                assert client.recv(1) == b""
        with connect(server) as client:
            assert client.recv(1) == b"1"
            client.sendall(b"QUIT")
            assert client.recv(1) == b""


@on_every_stream_kind
def test_a_script_can_go_on_in_tls(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, tls="starttls") as server:
        server.play(Script().expect(b"STARTTLS\n").send(b"go\n").start_tls().expect(b"secret").send(b"hidden"))
        with connect(server) as plain:
            plain.sendall(b"STARTTLS\n")
            assert plain.recv(3) == b"go\n"
            with server.client_context().wrap_socket(plain, server_hostname="localhost") as client:
                client.sendall(b"secret")
                assert client.recv(6) == b"hidden"

        server.requests.wait(1)
        assert server.connections[0].upstream == b"STARTTLS\nsecret"
        assert server.connections[0].tls is not None


@on_every_concurrency
def test_a_client_that_does_not_speak_tls_leaves_its_script_unplayed(concurrency: str) -> None:
    server = windsock.serving(concurrency=concurrency, tls=True)
    server.play(Script().send(b"1"), Script().send(b"2"))
    with connect(server) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        rest_of(client)  # an alert
    with server.connect() as second:
        second.expect(b"2").expect_eof()

    assert failures_of(server) == [
        "play(): script 1 of 2: never played, #0 from CLIENT ended before (handshake failed)\n"
        "  Script().send(b'1')" + UNUSED
    ]


def test_a_fake_has_no_urgent_data_in_tls() -> None:
    with windsock.serving(tls=True) as server, pytest.raises(windsock.UsageError) as caught:
        server.play(Script().expect(b"a").urgent(b"!"))
    late = windsock.serving(tls="starttls")
    late.play(Script().start_tls().urgent(b"!"))
    with late.connect() as client:
        client.start_tls().expect_eof()

    assert str(caught.value) == "step 2, urgent(b'!'): TLS has no urgent data; use send(), or pass tls='starttls'"
    words = "urgent(b'!'): TLS has no urgent data; use send(), or call urgent() in plaintext, before start_tls()"
    assert any(words in each for each in failures_of(late))


@on_every_concurrency
def test_what_comes_in_the_clear_behind_the_request_for_tls_is_a_mismatch(concurrency: str) -> None:
    server = windsock.serving(concurrency=concurrency, tls="starttls")
    server.play(Script().expect(b"STARTTLS\n").start_tls())
    assert exchange(server, b"STARTTLS\ninjected") == b""

    (text,) = failures_of(server)
    assert text.splitlines()[0] == "script 1, step 2, start_tls(): unencrypted data came after the request for TLS"


def test_a_client_that_turns_the_certificate_down_leaves_the_script_unfinished() -> None:
    server = windsock.serving(tls="starttls", certificate="expired")
    server.play(Script().expect(b"STARTTLS\n").send(b"go\n").start_tls().send(b"hidden"))
    with connect(server) as plain:
        plain.sendall(b"STARTTLS\n")
        assert plain.recv(3) == b"go\n"
        with pytest.raises(OSError, match="certificate has expired"):
            server.client_context().wrap_socket(plain, server_hostname="localhost")

    (text,) = failures_of(server)
    assert "not played to its end, #0 from CLIENT was at step 3 of 4, start_tls()" in text


@pytest.mark.parametrize(
    ("tell", "message"),
    [
        (lambda server: server.play(), "play(): expected a script, or several for as many connections"),
        (lambda server: server.play(b"x"), "play(b'x'): expected a Script, as in Script().expect(b'...').send(b'...')"),
        (
            lambda server: server.play(Script()),
            "play(Script()): it has no steps; a script that only hangs up is Script().close()",
        ),
        (
            lambda server: server.play_all(Script().expect(b"x").loop(Script().send(b"y"))),
            "step 2, loop(Script().send(b'y')): this never ends; pass times=, or begin the loop with an expectation",
        ),
        (
            lambda server: server.play(Script().start_tls()),
            "step 1, start_tls(): this server does not speak TLS; pass tls='starttls'",
        ),
    ],
)
def test_what_a_fake_cannot_play_is_a_usage_error(tell: Any, message: str) -> None:
    with windsock.serving() as server:
        with pytest.raises(windsock.UsageError) as caught:
            tell(server)
        assert str(caught.value) == message


def test_a_server_with_a_handler_plays_nothing() -> None:
    with windsock.serving(lambda *_: None, name="mine") as server:
        with pytest.raises(windsock.UsageError) as caught:
            server.play(Script().send(b"x"))
        what = "on(), reply(), greet() and echo()"
        assert str(caught.value) == f"the mine has a handler, which answers; {what} are for fakes"


def test_a_server_that_is_stopped_plays_nothing() -> None:
    with windsock.serving(name="mine") as server:
        server.stop()
        for tell in (server.play, server.play_all):
            with pytest.raises(windsock.UsageError) as caught:
                tell(Script().send(b"x"))
            assert str(caught.value) == f"{tell.__name__}(): the mine is stopped already; call it before stop()"


def test_an_error_in_the_test_itself_is_shown_with_what_has_not_happened() -> None:
    server = windsock.serving(name="fake").play(Script().send(b"1"))

    with pytest.raises(LookupError) as caught, server:
        raise LookupError

    what = "script 1 of 1: never played, no connection came for it\n  Script().send(b'1')"
    assert f"windsock: the fake: play(): {what}" in caught.value.__notes__


def test_what_a_script_came_to_is_in_the_transcript() -> None:
    with windsock.serving() as server:
        server.play(Script().send(b"1"))
        with connect(server) as client:
            assert rest_of(client) == b"1"
        server.finish()

        assert [line.split(" ", 1)[1] for line in server.transcript()][1:3] == ["#0 < 1 B b'1'", "#0 script 1: done"]


def test_an_error_of_many_lines_is_one_line_of_the_transcript() -> None:
    with windsock.serving() as server:
        server.play(Script().expect(b"HELO"))
        assert exchange(server, b"HELP") == b""
        wait_for_error(server)
        server.errors.take()
        server.finish()

        assert [line.split(" ", 1)[1] for line in server.transcript()][1:4] == [
            "#0 > 4 B b'HELP'",
            "#0 script 1: failed at step 1 of 1, expect(b'HELO')",
            "#0 ! handler error: ScriptMismatch: script 1, step 1, expect(b'HELO'): "
            "bytes differ at offset 3, b'P' instead of b'O'...",
        ]


def test_a_connection_from_before_play_is_not_the_next_one() -> None:
    with windsock.serving() as server, connect(server) as early:
        wait_until(lambda: len(server.connections) == 1)
        server.play(Script().send(b"1"))
        with connect(server) as client:
            assert rest_of(client) == b"1"
        early.shutdown(socket.SHUT_WR)
        assert rest_of(early) == b""


@on_every_concurrency
def test_a_step_never_waits_longer_than_the_test_may_take(concurrency: str) -> None:
    deadlines.limit_until(monotonic() + 0.3)
    try:
        server = windsock.serving(concurrency=concurrency, timeout=30.0)
        server.play(Script().expect(b"HELO"))
        with connect(server) as client:
            assert rest_of(client) == b""
    finally:
        deadlines.limit_until(math.inf)

    (text,) = failures_of(server)
    assert text.startswith("play(): script 1 of 1: not played to its end, ")
    assert " within " not in text
    assert not server.errors


def test_a_fake_with_a_thousand_descriptors_open_plays_on() -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1300:
        pytest.skip("this process may not have so many descriptors")
    with contextlib.ExitStack() as stack:
        for _ in range(1100):
            stack.enter_context(open(os.devnull))
        server = stack.enter_context(windsock.serving())
        server.play(Script().expect(b"?").pause(0.001).send(b"!"))
        assert exchange(server, b"?") == b"!"
