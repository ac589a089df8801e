"""One server for several tests: each has a recording, answers, faults and a verdict of its own."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.support.servers import ask, connect, on_every_concurrency, on_every_kind_and_records, on_every_stream_kind
from tests.support.waiting import DEADLINE, wait_until
from windsock import PeerError, RunningServer, Script, StillRunning, UsageError
from windsock.faults import Corrupt, Drop, HandlerError, Kill, Reset, TLSPlaintext, first
from windsock.servers import StreamRequestHandler

both_ways = pytest.mark.parametrize("is_relayed", [False, True], ids=["direct", "relayed"])


def say(client: socket.socket, data: bytes) -> bytes:
    """Send a message, and return the reply."""
    client.sendall(data)
    return client.recv(100)


@contextlib.contextmanager
def failing(
    server: RunningServer, name: str = "", kind: type[BaseException] = ExceptionGroup
) -> Iterator[list[BaseException]]:
    """Give a checkpoint that fails, and the list of the errors that it will have failed with."""
    found: list[BaseException] = []
    with pytest.raises(kind) as caught, server.checkpoint(name):
        yield found
    found += getattr(caught.value, "exceptions", [caught.value])


# --- the recording


@on_every_kind_and_records
def test_each_checkpoint_has_its_own_requests_numbered_from_0(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.echo()
        for data in (b"one", b"two", b"three"):
            with server.checkpoint():
                assert ask(server, data) == [data]

                request = server.requests.only()
                assert (request.data, request.reply, request.connection) == (data, data, 0)
                assert [each.index for each in server.connections] == [0]


@on_every_stream_kind
@both_ways
def test_of_a_pooled_connection_there_is_what_came_since_the_start(
    transport: str, concurrency: str, is_relayed: bool
) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines", relay=is_relayed) as server:
        server.on(b"PING").reply(b"PONG\r\n")
        with connect(server) as pooled:
            for _ in range(3):
                with server.checkpoint():
                    assert say(pooled, b"PING\r\n") == b"PONG\r\n"
                    if concurrency != "sync":
                        assert ask(server, b"PING\r\n") == [b"PONG\r\n"]

                    found = [(each.data, each.reply) for each in server.requests]
                    assert found == [(b"PING\r\n", b"PONG\r\n")] * (1 if concurrency == "sync" else 2)
                    assert server.connections[0].upstream == b"PING\r\n"


def test_a_pooled_connection_over_tls_goes_on() -> None:
    with windsock.serving(framing="lines", tls=True) as server:
        server.on(b"PING").reply(b"PONG\r\n")
        client = server.connect()
        for _ in range(2):
            with server.checkpoint():
                client.send(b"PING\r\n").expect(b"PONG\r\n")

                assert server.requests.only().data == b"PING\r\n"
                assert server.connections[0].tls is not None
        client.close()


def test_a_message_belongs_to_the_checkpoint_in_which_it_is_completed() -> None:
    with windsock.serving(framing="lines") as server, connect(server) as client:
        server.on(b"PING").reply(b"PONG\r\n")
        with server.checkpoint():
            client.sendall(b"PING\r\nPI")
            assert client.recv(100) == b"PONG\r\n"
            server.requests.wait(1)
            wait_until(server.requests.unfinished, "the start of the next message")

        with server.checkpoint():
            assert len(server.requests) == 0
            assert say(client, b"NG\r\n") == b"PONG\r\n"

            assert server.requests.only().data == b"PING\r\n"


def test_the_transcript_begins_with_the_checkpoint() -> None:
    with windsock.serving(framing="lines") as server, connect(server) as client:
        server.on(b"PING").reply(b"PONG\r\n")
        for _ in range(2):
            with server.checkpoint():
                say(client, b"PING\r\n")
                lines = server.transcript()

        assert lines[0].startswith("+0.0000 #0 from 127.0.0.1:")
        assert lines[0].endswith(", connected before this test")
        assert [line.partition("#0 ")[2] for line in lines[1:]] == ["> 6 B b'PING\\r\\n'", "< 6 B b'PONG\\r\\n'"]


@on_every_concurrency
def test_connections_that_have_ended_are_let_go_of(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.echo()
        with server.checkpoint():
            ask(server, b"one")
            past = weakref.ref(server.connections[0])

        def is_gone() -> bool:
            with server.checkpoint():
                ask(server, b"more")
            gc.collect()
            return past() is None

        wait_until(is_gone, "its thread, task or child to let go of it, too")


# --- answers


def test_answers_of_a_checkpoint_come_first_and_end_with_it() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"PING").reply(b"PONG\r\n")
        server.greet(b"hello\r\n")
        with server.checkpoint():
            server.on(b"PING").reply(b"BUSY\r\n")
            server.greet(b"go away\r\n")
            assert talk(server, b"PING\r\n") == [b"go away\r\n", b"BUSY\r\n"]

        with server.checkpoint():
            assert talk(server, b"PING\r\n") == [b"hello\r\n", b"PONG\r\n"]


@on_every_concurrency
def test_shared_answers_are_there_anew_in_each_checkpoint(concurrency: str) -> None:
    with windsock.serving(framing="lines", concurrency=concurrency) as server:
        server.on(b"GET").reply(b"1\r\n").then(b"2\r\n", times=1)
        server.reply(b"queued\r\n")
        for _ in range(3):
            with server.checkpoint():
                assert ask(server, b"GET\r\n", b"GET\r\n", b"OTHER\r\n") == [b"1\r\n", b"2\r\n", b"queued\r\n"]


@on_every_kind_and_records
def test_scripts_are_played_by_the_connections_of_the_checkpoint(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.play(Script().expect(b"A").send(b"shared"))
        for own in (b"own 1", b"own 2"):
            with server.checkpoint():
                server.play(Script().expect(b"B").send(own))
                assert [ask(server, b"A"), ask(server, b"B")] == [[b"shared"], [own]]


@on_every_concurrency
def test_what_a_checkpoint_expected_is_its_own_failure(concurrency: str) -> None:
    with windsock.serving(framing="lines", concurrency=concurrency) as server:
        server.on(b"SHARED").reply(b"x")
        with failing(server) as found:
            server.on(b"OWN").reply(b"y")
            server.reply(b"z")
            server.play(Script().expect(b"A"))
        with server.checkpoint():
            pass

    assert [str(each).partition("\n")[0] for each in found] == [
        "play(): script 1 of 1: never played, no connection came for it",
        "on(b'OWN').reply(b'y'): never matched",
        "reply(b'z'): never sent",
    ]


@on_every_concurrency
def test_states_begin_anew_in_each_checkpoint(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines") as server:
        server.on(b"USER").reply(b"go on\r\n", then="user given")
        server.on(b"PASS", state="user given").reply(b"welcome\r\n").optional()
        for _ in range(2):
            with server.checkpoint(), connect(server) as client:
                assert say(client, b"USER\r\n") == b"go on\r\n"
                assert say(client, b"PASS\r\n") == b"welcome\r\n"


def test_an_open_connection_stays_in_its_state() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"USER").reply(b"go on\r\n", then="user given")
        server.on(b"PASS", state="user given").reply(b"welcome\r\n").optional()
        with connect(server) as pooled:
            with server.checkpoint():
                assert say(pooled, b"USER\r\n") == b"go on\r\n"
            with server.checkpoint():
                assert say(pooled, b"PASS\r\n") == b"welcome\r\n"


def test_states_of_a_checkpoint_end_with_it() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"PING").reply(b"PONG\r\n")
        with server.checkpoint(), connect(server) as client:
            server.states(start="new", per="server")
            server.on(b"HELLO", state="new").reply(b"hi\r\n", then="known")
            assert say(client, b"HELLO\r\n") == b"hi\r\n"
        assert server.state_table() == []
        with server.checkpoint(), connect(server) as client:
            server.states(start="other")
            server.on(b"HELLO", state="other").reply(b"hi again\r\n")
            assert say(client, b"HELLO\r\n") == b"hi again\r\n"


def test_a_rule_of_a_checkpoint_may_stand_before_a_shared_one_with_states() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"USER", state="start").reply(b"go on\r\n", then="user given")
        server.on(b"PING").reply(b"PONG\r\n")
        with server.checkpoint(), connect(server) as client:
            server.on(b"PING").reply(b"BUSY\r\n")
            assert say(client, b"PING\r\n") == b"BUSY\r\n"
        with server.checkpoint(), connect(server) as client:
            assert say(client, b"PING\r\n") == b"PONG\r\n"


def test_a_rule_of_a_checkpoint_may_lead_to_the_state_of_a_shared_one() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"QUIT", state="logged in").reply(b"bye\r\n")
        with server.checkpoint():
            pass
        with server.checkpoint(), connect(server) as client:
            server.on(b"LOGIN", state="start").reply(b"hi\r\n", then="logged in")
            assert say(client, b"LOGIN\r\n") == b"hi\r\n"
            assert say(client, b"QUIT\r\n") == b"bye\r\n"


def test_a_shared_rule_that_no_message_can_reach_is_reported_once_and_at_the_end() -> None:
    server = windsock.serving(framing="lines")
    server.on(b"QUIT", state="logged in").reply(b"bye\r\n")
    for _ in range(2):
        with server.checkpoint():
            pass
    with failing(server) as errors:
        server.on(b"STAT", state="loged in").reply(b"ok\r\n")
    with pytest.raises(ExceptionGroup) as caught:
        server.finish()

    assert [str(each).partition(")")[0] for each in errors] == ["on(b'STAT', state='loged in'"]
    assert [str(each).partition(")")[0] for each in caught.value.exceptions] == ["on(b'QUIT', state='logged in'"]


def test_a_limit_of_a_checkpoint_ends_with_it() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"PING").reply(b"PONG\r\n")
        with server.checkpoint(), connect(server) as client:
            server.limit(messages=1)
        with server.checkpoint(), connect(server) as client:
            assert [say(client, b"PING\r\n") for _ in range(2)] == [b"PONG\r\n"] * 2


def test_an_accept_that_was_never_entered_fails_its_own_checkpoint() -> None:
    with windsock.serving() as server:
        with failing(server) as errors:
            server.accept()
        (unmet,) = errors
        assert str(unmet).startswith("accept(): its `with` was never entered")
        for _ in range(2):
            with server.checkpoint():
                accepting = server.accept(0)
                with connect(server) as client, accepting as peer:
                    client.sendall(b"hello")
                    peer.expect(b"hello")


def test_a_failing_checkpoint_need_not_meet_what_it_expected() -> None:
    with windsock.serving(framing="lines") as server:
        with failing(server, kind=ZeroDivisionError) as found:
            server.on(b"OWN").reply(b"y")
            raise ZeroDivisionError
        with server.checkpoint():
            assert server.fake is not None
            assert server.fake.rules == ()

    assert any("on(b'OWN').reply(b'y'): never matched" in each for each in found[0].__notes__)


# --- faults


@both_ways
def test_faults_of_a_checkpoint_end_with_it(is_relayed: bool) -> None:
    with windsock.serving(relay=is_relayed) as server:
        server.echo()
        with server.checkpoint():
            handle = server.fault(Corrupt(), direction="upstream")
            assert ask(server, b"one") != [b"one"]
            assert len(server.firings) == handle.fired == 1

        with server.checkpoint():
            assert ask(server, b"two") == [b"two"]
            assert server.firings == []


def test_a_fault_that_never_fired_fails_its_checkpoint() -> None:
    with windsock.serving() as server:
        server.fault(Reset(), match=b"never")
        with failing(server) as found:
            server.fault(Reset(), match=b"nor this")
        with server.checkpoint():
            pass

    assert ["nor this" in str(each) for each in found] == [True]


def test_a_shared_fault_counts_anew() -> None:
    with windsock.serving() as server:
        server.echo()
        server.fault(HandlerError(ValueError("meant")), connections=first(1), times=1)
        for _ in range(3):
            with server.checkpoint():
                with connect(server) as client:
                    assert client.recv(100) == b""
                assert ask(server, b"two") == [b"two"]


@on_every_concurrency
def test_a_fault_of_a_handshake_ends_with_its_checkpoint(concurrency: str) -> None:
    with windsock.serving(tls=True, concurrency=concurrency) as server:
        server.echo()
        with server.checkpoint():
            server.fault(TLSPlaintext(), connections=0)
            client = server.connect()
            with pytest.raises(PeerError):
                client.send(b"x").expect(b"x")

        with server.checkpoint(), server.connect() as client:
            client.send(b"x").expect(b"x")


def test_a_killed_child_is_of_its_checkpoint() -> None:
    with windsock.serving(concurrency="forking") as server:
        server.echo()
        for _ in range(2):
            with server.checkpoint():
                server.fault(Kill(), connections=0)
                with connect(server) as client:
                    assert client.recv(100) == b""
                assert ask(server, b"x") == [b"x"]
                server.connections.wait(2)


def test_a_fault_draws_the_same_in_each_checkpoint() -> None:
    with windsock.serving(seed=7) as server:
        server.echo()
        found = []
        for _ in range(2):
            with server.checkpoint():
                server.fault(Corrupt(), direction="upstream", allow_unfired=True)
                found.append([ask(server, bytes(64)) for _ in range(4)])

    assert found[0] == found[1]


# --- errors


class Fails(StreamRequestHandler):
    """Fails at each line, once it may."""

    may: threading.Event

    def handle(self) -> None:
        data = self.rfile.readline()
        assert self.may.wait(DEADLINE)
        raise ValueError(data.decode().strip())


@pytest.fixture
def may(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Whether handlers may fail."""
    event = threading.Event()
    monkeypatch.setattr(Fails, "may", event, raising=False)
    return event


@on_every_kind_and_records
def test_an_error_fails_the_checkpoint_in_which_it_comes(transport: str, concurrency: str) -> None:
    def fail(request: Any, client_address: Any, server: Any) -> None:
        raise ValueError("wrong")

    with windsock.serving(fail, transport=transport, concurrency=concurrency) as server:
        with server.checkpoint():
            pass
        with failing(server) as found:
            with connect(server) as client, contextlib.suppress(OSError):  # it is closed at once
                client.send(b"x")
            server.connections.wait(1)
        with server.checkpoint():
            assert len(server.errors) == 0

    assert list(map(str, found)) == ["wrong"]


def test_a_busy_handler_is_waited_for_once_its_client_has_left(may: threading.Event) -> None:
    with windsock.serving(Fails, framing="lines") as server:
        with failing(server) as found:
            with connect(server) as client:
                client.sendall(b"busy\n")
                client.shutdown(socket.SHUT_WR)
                server.requests.wait(1)
            threading.Timer(0.05, may.set).start()

        assert list(map(str, found)) == ["busy"]


def test_a_late_error_is_of_the_checkpoint_that_its_client_was_active_in(may: threading.Event) -> None:
    server = windsock.serving(Fails, framing="lines")
    with connect(server) as client:
        with server.checkpoint("the first test"):
            client.sendall(b"late\n")
            server.requests.wait(1)
        with server.checkpoint("the second test"):
            may.set()
            server.connections.wait(1)
            assert len(server.errors) == 0
    with pytest.raises(ExceptionGroup) as caught:
        server.finish()

    (late,) = caught.value.exceptions
    assert str(late) == "late"
    (note,) = late.__notes__
    assert note.endswith(", after the end of the first test")


def test_a_handler_that_does_not_end_is_reported_once(may: threading.Event) -> None:
    with windsock.serving(Fails, timeout=0.2, framing="lines", strict=False) as server:
        with failing(server, "stuck") as found, connect(server) as client:
            client.sendall(b"x\n")
            client.shutdown(socket.SHUT_WR)
            server.requests.wait(1, timeout=DEADLINE)
        with server.checkpoint():
            pass
        may.set()

    assert [type(each) for each in found] == [StillRunning]
    assert "'stuck'" in str(found[0])


# --- clients


def test_clients_of_a_checkpoint_are_closed_at_its_end_and_others_are_not() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"PING").reply(b"PONG\r\n")
        shared = server.connect()
        with server.checkpoint():
            own = server.connect().send(b"PING\r\n").expect(b"PONG\r\n")
        assert server.connections[1].closed is not None
        with pytest.raises(UsageError, match="this client is closed"):
            own.close()
        with server.checkpoint():
            shared.send(b"PING\r\n").expect(b"PONG\r\n")
            assert [each.index for each in server.connections] == [0]


# --- misuse


def test_a_checkpoint_in_a_checkpoint_is_refused() -> None:
    with (
        windsock.serving(name="redis") as server,
        server.checkpoint("outer"),
        pytest.raises(UsageError, match=r"^checkpoint\(\): the redis is in another one, 'outer'; expected its end"),
    ):
        server.checkpoint("inner").begin()


def test_a_checkpoint_after_stop_is_refused() -> None:
    with windsock.serving(name="redis") as server:
        server.stop()

        with pytest.raises(UsageError, match=r"^checkpoint\(\): the redis is stopped already; expected one before"):
            server.checkpoint()


def test_a_name_that_is_no_text_is_refused() -> None:
    with windsock.serving() as server, pytest.raises(UsageError, match=r"^checkpoint\(3\): expected the name"):
        server.checkpoint(3)  # type: ignore[arg-type]


def test_a_server_may_stop_in_a_checkpoint() -> None:
    with windsock.serving() as server:
        server.echo()
        with server.checkpoint():
            ask(server, b"x")
            server.stop()

            assert len(server.requests) == 1


def talk(server: RunningServer, data: bytes) -> list[bytes]:
    """Take the greeting, send a message; return the greeting and the reply."""
    with connect(server) as client:
        return [client.recv(100), say(client, data)]


def test_clients_of_datagrams_are_numbered_anew_for_faults() -> None:
    with windsock.serving(transport="udp", concurrency="sync", relay=True) as server:
        server.echo()
        server.fault(Drop(1), connections=first(1), direction="upstream", allow_unfired=True)
        for _ in range(3):
            with server.checkpoint(), connect(server) as one, connect(server) as two:
                server.fault(Drop(1), connections=1, direction="downstream")
                for client in (one, two):
                    client.sendall(b"first")
                    client.sendall(b"second")

                assert one.recv(100) == b"second"
                assert two.recv(100) == b"second"


def test_a_client_of_datagrams_goes_on_in_the_next_part() -> None:
    with windsock.serving(transport="udp", relay=True) as server, connect(server) as client:
        server.echo()
        for data in (b"one", b"two", b"three"):
            with server.checkpoint():
                assert say(client, data) == data


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors as Linux lists them")
def test_clients_of_earlier_parts_keep_no_descriptors() -> None:
    with windsock.serving(transport="udp", relay=True) as server:
        server.echo()
        counts = []
        for _ in range(6):
            with server.checkpoint():
                ask(server, b"hello")
            counts.append(len(list(Path("/proc/self/fd").iterdir())))

        assert counts[-1] == counts[2]
