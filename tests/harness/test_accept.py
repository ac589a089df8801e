"""The server's side of a connection in the test's hand: `accept()`, on every transport, concurrency and line."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from itertools import product
from typing import Any

import pytest

import windsock
from tests.support.servers import (
    DATAGRAMS,
    STREAMS,
    connect,
    on_every_concurrency,
    on_every_datagram_kind,
    on_every_stream_kind,
    rest_of,
)
from tests.support.waiting import DEADLINE, HOUR, ends_in_time, wait_until
from windsock import Script, ScriptMismatch, UsageError
from windsock.harness import CONCURRENCIES
from windsock.servers import StreamRequestHandler

FOREIGN = [socketserver.TCPServer, socketserver.ThreadingTCPServer, socketserver.ForkingTCPServer]
SOON = 0.05
"""Seconds in which nothing happens."""
on_every_stream_line = pytest.mark.parametrize(
    ("transport", "concurrency", "tls", "relay"), list(product(STREAMS, CONCURRENCIES, [None, True], [False, True]))
)
on_every_datagram_line = pytest.mark.parametrize(
    ("transport", "concurrency", "relay"), list(product(DATAGRAMS, CONCURRENCIES, [False, True]))
)


def accepted_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if "accepted" in each.name]


# --- streams


@on_every_stream_line
def test_a_test_reads_as_a_conversation(transport: str, concurrency: str, tls: Any, relay: bool) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, tls=tls, relay=relay) as server:
        accepting = server.accept()
        client = server.connect()
        with accepting as peer:
            client.send(b"PING\r\n")
            peer.expect(b"PING\r\n").send(b"PONG\r\n")
            client.expect(b"PONG\r\n")
            peer.send(b"NEWS\r\n")
            client.expect(b"NEWS\r\n")
        client.expect_eof()

        (connection,) = server.connections.wait(1)
        assert (connection.upstream, connection.downstream) == (b"PING\r\n", b"PONG\r\nNEWS\r\n")
        assert connection.ending is windsock.Ending.SERVER_CLOSE
        assert connection.pid is None
    assert accepted_threads() == []


@on_every_stream_kind
def test_several_connections_are_in_hand_at_once(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        first = server.accept()
        with (
            server.connect() as one,
            first as peer_of_one,
            server.connect() as two,  # waits for its accept()
            server.accept() as peer_of_two,
        ):
            two.send(b"2")
            peer_of_two.expect(b"2").send(b"two")
            one.send(b"1")
            peer_of_one.expect(b"1").send(b"one")
            one.expect(b"one")
            two.expect(b"two")


@on_every_stream_kind
def test_a_peer_resets_half_closes_and_hears_the_end(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        accepting = server.accept()
        with server.connect() as client, accepting as peer:
            peer.send(b"bye").half_close()
            client.expect(b"bye").expect_eof().send(b"late")
            peer.expect(b"late")
            client.close()
            peer.expect_eof()
        with server.connect() as client, server.accept() as peer:
            peer.reset()
            client.expect_end()

        if transport == "tcp":
            wait_until(lambda: server.connections[1].ending is windsock.Ending.SERVER_RESET)


@on_every_stream_kind
def test_accepted_connections_and_rules_are_mixed_by_index(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.on(b"PING").reply(b"PONG\n")
        accepting = server.accept(1)
        with server.connect() as zero:
            zero.send(b"PING\n").expect(b"PONG\n")
        with server.connect() as one, accepting as peer, server.connect() as two:
            one.send(b"PING\n")
            two.send(b"PING\n").expect(b"PONG\n")
            peer.expect(b"PING\n").send(b"in hand\n")
            one.expect(b"in hand\n")


def test_connections_are_accepted_that_a_function_picks(tmp_path: Any) -> None:
    with windsock.serving(transport="unix_stream") as server:
        server.on(b"?").reply(b"by rule")
        accepting = server.accept(lambda connection: connection.peer == str(tmp_path / "me"))
        with server.connect() as other, server.connect(source=tmp_path / "me") as mine, accepting as peer:
            other.send(b"?").expect(b"by rule")
            mine.send(b"?")
            peer.expect(b"?").send(b"by hand")
            mine.expect(b"by hand")


@on_every_concurrency
def test_queued_scripts_come_first(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.play(Script().send(b"script"))
        accepting = server.accept()
        with server.connect() as one, server.connect() as two, accepting as peer:
            one.expect(b"script")
            peer.send(b"hand")
            two.expect(b"hand")


@on_every_concurrency
def test_a_peer_starts_tls_in_the_middle(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, tls="starttls") as server:
        accepting = server.accept()
        with server.connect() as client, accepting as peer:
            client.send(b"STARTTLS\n")
            peer.expect(b"STARTTLS\n").send(b"go\n")
            client.expect(b"go\n")
            playing = client.play_in_background(Script().start_tls().send(b"secret"))
            peer.start_tls().expect(b"secret").send(b"kept")
            playing.join()
            client.expect(b"kept")
            playing = client.play_in_background(Script().stop_tls().send(b"clear"))
            peer.stop_tls().expect(b"clear")
            playing.join()

        assert server.connections[0].tls is not None
        assert server.connections[0].upstream == b"STARTTLS\nsecretclear"


def test_a_handshake_that_fails_is_not_accepted_and_the_next_client_is() -> None:
    with windsock.serving(tls=True, strict=False) as server:
        accepting = server.accept()
        with connect(server) as stranger:
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
            rest_of(stranger)
            with server.connect() as client, accepting as peer:
                peer.send(b"hi")
                client.expect(b"hi")


def test_faults_act_between_a_peer_and_its_client() -> None:
    with windsock.serving(faults=[windsock.faults.Truncate(after_bytes=3)]) as server:
        accepting = server.accept()
        with server.connect() as client, accepting as peer:
            peer.send(b"hello")
            client.expect(b"hel").expect_eof()


def test_a_peer_plays_a_script_in_the_background() -> None:
    with windsock.serving() as server:
        accepting = server.accept()
        with server.connect() as client, accepting as peer:
            playing = peer.play_in_background(Script().expect(b"?").send(b"!"))
            client.send(b"?").expect(b"!")
            playing.join()


# --- datagrams


@on_every_datagram_line
def test_a_conversation_of_datagrams_is_in_hand(transport: str, concurrency: str, relay: bool) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, relay=relay) as server:
        accepting = server.accept()
        with server.connect() as client:
            client.send(b"RRQ")
            with accepting as peer:
                peer.expect(b"RRQ").send(b"DATA 1")
                client.expect(b"DATA 1").send(b"ACK 1")
                peer.expect(b"ACK 1").send(b"DATA 2").send(b"END")
                client.expect(b"DATA 2").expect(b"END")

        requests = server.requests.wait(2)
        assert [(each.data, each.reply) for each in requests] == [(b"RRQ", b"DATA 1"), (b"ACK 1", b"DATA 2END")]


@on_every_datagram_kind
def test_two_conversations_of_datagrams_are_kept_apart(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        first, second = server.accept(), server.accept()
        with server.connect() as one, server.connect() as two:
            one.send(b"1")
            with first as peer_of_one:
                two.send(b"2")
                with second as peer_of_two:
                    one.send(b"more")
                    peer_of_two.expect(b"2").send(b"two")
                    peer_of_one.expect(b"1").expect(b"more").send(b"one")
                    one.expect(b"one")
                    two.expect(b"two")


@on_every_datagram_kind
def test_later_datagrams_are_for_the_rules_again(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.on(b"?").reply(b"rule")
        accepting = server.accept()
        with server.connect() as client:
            client.send(b"?")
            with accepting as peer:
                peer.expect(b"?").send(b"hand")
            client.expect(b"hand").send(b"?").expect(b"rule")


# --- clients that come first


@on_every_stream_line
def test_clients_that_come_first_wait_to_be_accepted(transport: str, concurrency: str, tls: Any, relay: bool) -> None:
    with (
        windsock.serving(transport=transport, concurrency=concurrency, tls=tls, relay=relay, accept=True) as server,
        server.connect() as one,
        server.connect() as two,
    ):
        one.send(b"1")
        two.send(b"2").half_close()
        with server.accept() as first, server.accept() as second:
            first.expect(b"1").send(b"one")
            second.expect(b"2").expect_eof().send(b"two")
            one.expect(b"one")
            two.expect(b"two")


@on_every_datagram_line
def test_datagrams_that_come_first_wait_to_be_accepted(transport: str, concurrency: str, relay: bool) -> None:
    with (
        windsock.serving(transport=transport, concurrency=concurrency, relay=relay, accept=True) as server,
        server.connect() as client,
    ):
        client.send(b"1").send(b"2")
        with server.accept() as peer:
            peer.expect(b"1").expect(b"2").send(b"both")
            client.expect(b"both")


def test_a_server_with_a_handler_keeps_no_clients() -> None:
    class Quiet(StreamRequestHandler):
        pass

    with pytest.raises(UsageError, match=r"accept=True: the .* has a handler, which gets its connections"):
        windsock.serving(Quiet, accept=True)


# --- what fails


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_what_was_not_expected_fails_at_the_end_of_the_with(transport: str) -> None:
    with windsock.serving(transport=transport) as server:
        accepting = server.accept()
        with server.connect() as client:
            client.send(b"hello")
            with (
                pytest.raises(ScriptMismatch, match=r"step 1, close\(\): more came than was expected"),
                accepting as peer,
            ):
                wait_until(lambda: peer.end.take_in())
        server.stop()


def test_a_client_that_never_comes_is_an_error_that_says_who_came() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"PING").reply(b"PONG\n")
        with server.connect() as client:
            client.send(b"PING\n").expect(b"PONG\n")
            with pytest.raises(windsock.AcceptTimeout) as caught, server.accept(timeout=SOON):
                pass
    port = client.address[1]
    assert str(caught.value) == (
        "accept(): no client came for it within 0.05 s; what came:\n"
        f"  #0 from 127.0.0.1:{port}: served by the fake, as it came before the call; "
        "pass accept=True, and clients wait for accept()"
    )


def test_nothing_came_at_all() -> None:
    with windsock.serving() as server, pytest.raises(windsock.AcceptTimeout) as caught, server.accept(timeout=SOON):
        pass
    assert str(caught.value) == "accept(): no client came for it within 0.05 s; what came: no client at all"


def test_the_error_of_an_accept_for_an_index_names_those_that_wait() -> None:
    with windsock.serving() as server:
        accepting = server.accept(1, timeout=SOON)
        with server.connect():
            wait_until(lambda: any("waits for accept()" in line for line in server.transcript()))
            with pytest.raises(windsock.AcceptTimeout, match=r"#0 .*waits for an accept\(\) that"), accepting:
                pass


def test_an_index_that_is_past_is_refused_at_once() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"PING").reply(b"PONG\n")
        kept = server.accept(1)
        with server.connect() as client, server.connect(), kept:
            client.send(b"PING\n").expect(b"PONG\n")
            with pytest.raises(UsageError, match=r"accept\(0\): connection #0 came before that, and is served by the"):
                server.accept(0)
            with pytest.raises(UsageError, match=r"accept\(1\): connection #1 was accepted before"):
                server.accept(1)


def test_the_error_names_those_that_do_not_fit() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"PING").reply(b"PONG\n")
        accepting = server.accept(2, timeout=SOON)
        with server.connect() as client:
            client.send(b"PING\n").expect(b"PONG\n")
            with (
                pytest.raises(windsock.AcceptTimeout, match=r"#0 from .*: served by the fake, as it does not fit"),
                accepting,
            ):
                pass


@pytest.mark.parametrize("which", [-1, True, 1.5, b"x"])
def test_a_value_that_picks_no_connection_is_refused(which: Any) -> None:
    with windsock.serving() as server, pytest.raises(UsageError, match="expected the index of a connection"):
        server.accept(which)


def test_a_server_with_a_handler_has_no_accept() -> None:
    class Quiet(StreamRequestHandler):
        pass

    with windsock.serving(Quiet) as server, pytest.raises(UsageError, match="has a handler, which gets its"):
        server.accept()


def test_a_stopped_server_has_no_accept() -> None:
    with windsock.serving(allow_unused=True) as server:
        accepting = server.accept()
    with pytest.raises(UsageError, match="stopped already"):
        server.accept()
    with pytest.raises(UsageError, match="the server was stopped meanwhile"), accepting:
        pass


def test_an_accept_whose_with_was_never_entered_fails_a_strict_test() -> None:
    with pytest.raises(ExceptionGroup) as caught, windsock.serving() as server:
        server.accept(3)
    (error,) = caught.value.exceptions
    assert str(error).startswith("accept(3): its `with` was never entered")


def test_an_accept_is_entered_once() -> None:
    with windsock.serving() as server:
        accepting = server.accept()
        with server.connect():
            with accepting:
                pass
            with pytest.raises(UsageError, match="was entered before"), accepting:
                pass


def test_a_function_that_raises_is_an_error_of_the_server() -> None:
    def fail(connection: windsock.Connection) -> bool:
        raise ZeroDivisionError(connection.index)

    with windsock.serving() as server:
        accepting = server.accept(fail, timeout=SOON)
        with connect(server) as client:
            assert rest_of(client) == b""
            with pytest.raises(windsock.AcceptTimeout), accepting:
                pass
        (error,) = server.errors.take()
        assert isinstance(error, ZeroDivisionError)


def test_a_step_after_the_end_says_so() -> None:
    with windsock.serving() as server:
        accepting = server.accept()
        with server.connect(), accepting as peer:
            pass
        with pytest.raises(UsageError, match="this connection is closed; accept the next one"):
            peer.send(b"x")


# --- ends


@on_every_stream_kind
def test_a_peer_that_is_left_open_leaves_nothing_behind(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency, timeout=HOUR)
    accepting = server.accept()
    client = server.connect()
    peer = accepting.__enter__()
    peer.send(b"open")
    client.expect(b"open")
    with ends_in_time():
        server.finish()

    assert accepted_threads() == []
    assert peer.end.is_closed
    assert server.connections[0].ending is windsock.Ending.SERVER_CLOSE


@on_every_concurrency
def test_a_client_that_was_kept_and_not_accepted_ends_with_the_server(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        accepting = server.accept()
        with connect(server) as one, connect(server) as two:
            with accepting as peer:
                peer.send(b"hi")
                assert one.recv(10) == b"hi"
                wait_until(lambda: any("#1 note: waits for accept()" in line for line in server.transcript()))
            server.stop()
            assert rest_of(two) == b""


@pytest.mark.parametrize("transport", ["udp", "unix_datagram"])
def test_a_datagram_that_was_never_accepted_fails_the_test(transport: str) -> None:
    server = windsock.serving(transport=transport, accept=True)
    with server.connect() as client:
        client.send(b"hello").send(b"again")
    with pytest.raises(ExceptionGroup) as caught:
        server.finish()

    (unmet,) = caught.value.exceptions
    assert re.match(r"accept=True: #0 from .* was never accepted, by `with server.accept", str(unmet))


@on_every_concurrency
def test_a_client_that_was_never_accepted_fails_the_test(concurrency: str) -> None:
    server = windsock.serving(concurrency=concurrency, tls=True, relay=True, accept=True)
    with server.connect(), server.connect() as two, server.accept():
        two.send(b"hello")
    with pytest.raises(ExceptionGroup) as caught:
        server.finish()

    (unmet,) = caught.value.exceptions
    assert re.match(r"accept=True: #1 from .* was never accepted, by `with server.accept", str(unmet))


def test_a_client_that_was_never_accepted_fails_its_own_checkpoint() -> None:
    with windsock.serving(accept=True) as server, server.connect() as early:
        early.send(b"before")
        with server.accept() as peer:
            peer.expect(b"before")
        with pytest.raises(ExceptionGroup, match="unmet expectations"), server.checkpoint(), connect(server):
            server.drain()
        with server.checkpoint():
            pass


def test_a_client_that_was_never_accepted_is_allowed_if_the_test_says_so_or_in_an_outage() -> None:
    with windsock.serving(accept=True, allow_unused=True) as server, connect(server):
        server.drain()
    with windsock.serving(accept=True) as server, connect(server):
        server.drain()
        with server.outage():
            pass


def test_a_drain_does_not_wait_for_what_the_test_has_not_read() -> None:
    with windsock.serving(timeout=HOUR) as server:
        accepting = server.accept()
        with server.connect() as client, accepting as peer:
            client.send(b"x")
            with ends_in_time():
                server.drain()
            peer.expect(b"x")


def test_an_outage_ends_accepted_connections_and_the_next_one_is_accepted() -> None:
    with windsock.serving() as server:
        accepting = server.accept()
        with server.connect() as client:
            peer = accepting.__enter__()
            with server.outage():
                client.expect_end()
            peer.close()
        with server.connect() as client, server.accept() as peer:
            peer.send(b"up")
            client.expect(b"up")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_an_accept_goes_to_the_next_client_if_an_outage_has_ended_the_one_that_it_had(transport: str) -> None:
    with windsock.serving(transport=transport) as server:
        accepting = server.accept()
        with server.connect() as early:
            early.send(b"early")
            server.drain()
            with server.outage():
                pass
        with server.connect() as late:
            late.send(b"late")
            with accepting as peer:
                peer.expect(b"late")


def test_a_plain_client_in_a_thread_meets_the_peer() -> None:
    answers: list[bytes] = []

    def run(address: Any) -> None:
        with socket.create_connection(address, timeout=DEADLINE) as client:
            client.sendall(b"PING\r\n")
            answers.append(client.recv(100))

    with windsock.serving() as server:
        accepting = server.accept()
        thread = threading.Thread(target=run, args=(server.address,))
        thread.start()
        with accepting as peer:
            peer.expect(b"PING\r\n").send(b"PONG\r\n")
            thread.join(DEADLINE)
    assert answers == [b"PONG\r\n"]


@pytest.mark.parametrize("kind", FOREIGN)
def test_connections_of_a_class_of_another_family_are_in_hand(kind: type[Any]) -> None:
    with windsock.serving(kind, accept=True) as server, server.connect() as client:
        client.send(b"?")
        with server.accept() as peer:
            peer.expect(b"?").send(b"!")
            client.expect(b"!")
        client.expect_eof()


def test_a_forked_child_does_not_keep_an_accepted_connection_open() -> None:
    with windsock.serving(concurrency="forking", framing="lines") as server:
        server.on(b"PING").reply(b"PONG\n")
        accepting = server.accept(0)
        with server.connect() as mine, accepting as peer, server.connect() as served:
            served.send(b"PING\n").expect(b"PONG\n")  # by a child that was forked meanwhile
            peer.close()
            mine.expect_eof()


@on_every_concurrency
def test_a_connection_in_hand_can_be_reached_by_its_record_too(concurrency: str) -> None:
    with (
        windsock.serving(concurrency=concurrency, accept=True) as server,
        server.connect() as client,
        server.accept() as peer,
    ):
        peer.send(b"a")
        server.connections[0].send(b"b")
        client.expect(b"ab")
