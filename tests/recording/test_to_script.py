"""From life to script: what was recorded is played again, by either side, and the same is recorded."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from typing import Any

import pytest

import windsock
from tests.support.servers import (
    connect,
    exchange,
    on_every_concurrency,
    on_every_datagram_kind,
    on_every_stream_kind,
    reset,
)
from tests.support.waiting import DEADLINE
from windsock import RunningServer, Script, UsageError
from windsock.recording import Connection, Recorder
from windsock.recording.events import Kind
from windsock.recording.store.spill_file import Event
from windsock.scripts import steps as kinds
from windsock.servers import DatagramRequestHandler, StreamRequestHandler

NAMES = {each: getattr(kinds, each) for each in kinds.__all__} | {"Script": Script}


class Counter(StreamRequestHandler):
    """Greets, answers each line, and says at the end how many there were."""

    def handle(self) -> None:
        self.wfile.write(b"hello\r\n")
        count = 0
        for line in self.rfile:
            count += 1
            if line == b"quit\r\n":
                return
            self.wfile.write(b"you said: " + line)
        self.wfile.write(b"%d lines\r\n" % count)


class Twice(DatagramRequestHandler):
    """Answers twice."""

    def handle(self) -> None:
        data = self.rfile.read()
        for _ in range(2):
            self.socket.sendto(data, self.client_address)


def talk_to_the_end(server: RunningServer) -> None:
    with connect(server) as client:
        reader = client.makefile("rb")
        assert reader.readline() == b"hello\r\n"
        client.sendall(b"one\r\n")
        assert reader.readline() == b"you said: one\r\n"
        client.sendall(b"two\r\nthree\r\n")  # the third is on its way while the second is answered
        assert reader.readline() == b"you said: two\r\n"
        client.shutdown(socket.SHUT_WR)
        assert reader.read() == b"you said: three\r\n3 lines\r\n"
        reader.close()


def talk_and_quit(server: RunningServer) -> None:
    assert exchange(server, b"one\r\nquit\r\n") == b"hello\r\nyou said: one\r\n"


def facts(connection: Connection) -> tuple[bytes, bytes, str]:
    return connection.upstream, connection.downstream, str(connection.ending)


def recorded_by(server: RunningServer) -> Connection:
    """The connection, when it has ended."""
    server.requests.wait(1)
    return server.connections[0]


def pasted(script: Script) -> Script:
    """What stands in a test into which its print was pasted."""
    again: Script = eval(repr(script), NAMES)
    assert again == script
    return again


@on_every_stream_kind
@pytest.mark.parametrize("talk", [talk_to_the_end, talk_and_quit])
@pytest.mark.parametrize("timing", [False, True])
def test_the_client_is_played_again(transport: str, concurrency: str, talk: Any, timing: bool) -> None:
    options: dict[str, Any] = {"transport": transport, "concurrency": concurrency, "timeout": DEADLINE}
    with windsock.serving(Counter, **options) as server:
        talk(server)
        before = recorded_by(server)
        script = before.as_script(timing=timing)
    with windsock.serving(Counter, **options) as server:
        with server.connect() as client:
            client.play(pasted(script))
        after = recorded_by(server)

    assert facts(after) == facts(before)
    assert before.upstream


@on_every_stream_kind
@pytest.mark.parametrize("talk", [talk_to_the_end, talk_and_quit])
def test_the_server_is_played_again(transport: str, concurrency: str, talk: Any) -> None:
    options: dict[str, Any] = {"transport": transport, "concurrency": concurrency, "timeout": DEADLINE}
    with windsock.serving(Counter, **options) as server:
        talk(server)
        before = recorded_by(server)
    with windsock.serving(**options) as fake:
        fake.play(pasted(before.as_script("server")))
        talk(fake)
        after = recorded_by(fake)

    assert facts(after) == facts(before)


@on_every_concurrency
def test_both_sides_are_played_against_each_other(concurrency: str) -> None:
    with windsock.serving(Counter, concurrency=concurrency) as server:
        talk_to_the_end(server)
        before = recorded_by(server)
    with windsock.serving(concurrency=concurrency, timeout=DEADLINE) as fake:
        fake.play(before.as_script("server"))
        with fake.connect() as client:
            client.play(before.as_script("client"))
        after = recorded_by(fake)

    assert facts(after) == facts(before)


@on_every_datagram_kind
def test_datagrams_are_played_again(transport: str, concurrency: str) -> None:
    options: dict[str, Any] = {"transport": transport, "concurrency": concurrency, "timeout": DEADLINE}
    with windsock.serving(Twice, **options) as server:
        with connect(server) as client:
            for data in (b"one", b"", b"three"):
                client.send(data)
                assert [client.recv(100), client.recv(100)] == [data, data]
        server.requests.wait(3)
        before = server.connections
    script = sum((each.as_script() for each in before), Script())
    with windsock.serving(Twice, **options) as server:
        with server.connect() as player:
            player.play(pasted(script))
        server.requests.wait(3)
        after = server.connections
    with windsock.serving(**options) as fake:
        fake.play(*(pasted(each.as_script("server")) for each in before))
        with fake.connect() as player:
            player.play(script)

    assert script == Script().send(b"one").expect(b"one").expect(b"one").send(b"").expect(b"").expect(b"").send(
        b"three"
    ).expect(b"three").expect(b"three")
    assert [(each.upstream, each.downstream) for each in after] == [
        (b"one", b"oneone"),
        (b"", b""),
        (b"three", b"threethree"),
    ]


@on_every_concurrency
def test_of_tls_the_plaintext_is_played_again(concurrency: str) -> None:
    options: dict[str, Any] = {"concurrency": concurrency, "tls": True, "timeout": DEADLINE}
    with windsock.serving(Counter, **options) as server:
        with server.connect() as client:
            client.expect(b"hello\r\n").send(b"one\r\nquit\r\n").expect(b"you said: one\r\n").expect_eof()
        before = recorded_by(server)
        script = before.as_script()
    with windsock.serving(Counter, **options) as server:
        with server.connect() as client:
            client.play(script)
        after = recorded_by(server)

    assert script.steps[0] == kinds.Expect(b"hello\r\n")
    assert facts(after) == facts(before)


def test_a_reset_is_played_again() -> None:
    with windsock.serving(Counter) as server:
        client = connect(server)
        client.sendall(b"one\r\n")
        assert client.recv(7) == b"hello\r\n"
        assert client.recv(100) == b"you said: one\r\n"
        reset(client)
        before = recorded_by(server)
    with windsock.serving(Counter) as server:
        with server.connect() as player:
            player.play(before.as_script())
        after = recorded_by(server)

    assert before.as_script() == Script().expect(b"hello\r\n").send(b"one\r\n").expect(b"you said: one\r\n").reset()
    assert facts(after) == facts(before)
    assert before.ending == "client reset"


def test_printed_and_pasted_it_is_a_test(pytester: pytest.Pytester) -> None:
    with windsock.serving(Counter) as server:
        talk_and_quit(server)
        script = recorded_by(server).as_script("server")
    pytester.makepyfile(
        "from windsock import Script\n"
        f"SCRIPT = {script}\n"
        "def test_it(tcp_server):\n"
        "    tcp_server.play(SCRIPT)\n"
        "    with tcp_server.connect() as client:\n"
        "        client.send(b'one\\r\\nquit\\r\\n').expect(b'hello\\r\\nyou said: one\\r\\n').expect_eof()\n"
    )

    pytester.runpytest_subprocess("-W", "error", timeout=50).assert_outcomes(passed=1)


# --- step by step


SECOND = 1000.0


def connection_with(*events: tuple[float, int, bytes], is_datagram: bool = False) -> Connection:
    """A connection in which that has happened, at so many seconds after it was opened."""
    recorder = Recorder()
    recorder.close()  # or the next fork makes it ready for children
    connection = Connection(recorder, 0, ("127.0.0.1", 1))
    connection.opened = SECOND
    connection.is_datagram = is_datagram
    for at, kind, data in events:
        event = Event(SECOND + at, kind, data)
        connection.append(event)
        if kind > Kind.MARK:
            connection.apply(event)
    return connection


UP, DOWN = Kind.UP, Kind.DOWN
CLIENT_EOF, HALF_CLOSE, CLOSE, CLIENT_RESET = Kind.CLIENT_EOF, Kind.HALF_CLOSE, Kind.CLOSE, Kind.CLIENT_RESET

ORDERS: list[tuple[Iterable[tuple[int, bytes]], Script, Script]] = [
    (
        [(UP, b"a"), (UP, b"b"), (DOWN, b"c"), (DOWN, b"d"), (UP, b"e")],
        Script().send(b"ab").expect(b"cd").send(b"e"),
        Script().expect(b"ab").send(b"cd").expect(b"e"),
    ),
    (
        [(UP, b"a"), (CLIENT_EOF, b""), (DOWN, b"b"), (HALF_CLOSE, b""), (CLOSE, b"")],
        Script().send(b"a").half_close().expect(b"b").expect_eof().close(),
        Script().expect(b"a").expect_eof().send(b"b").close(),
    ),
    (
        [(DOWN, b"b"), (HALF_CLOSE, b""), (UP, b"a"), (CLIENT_EOF, b""), (CLOSE, b"")],
        Script().expect(b"b").expect_eof().send(b"a").close(),
        Script().send(b"b").half_close().expect(b"a").expect_eof().close(),
    ),
    (
        [(UP, b"a"), (DOWN, b"b"), (CLIENT_RESET, b""), (HALF_CLOSE, b""), (CLOSE, b"")],
        Script().send(b"a").expect(b"b").reset(),
        Script().expect(b"a").send(b"b").expect_reset().close(),
    ),
    (
        [(UP, b"a"), (DOWN, b"b"), (Kind.SERVER_RESET, b""), (CLOSE, b"")],
        Script().send(b"a").expect(b"b").expect_reset().close(),
        Script().expect(b"a").send(b"b").reset(),
    ),
    ([(CLOSE, b"")], Script().expect_eof().close(), Script().close()),
    ([], Script(), Script()),
    (
        [(UP, b"a"), (DOWN, b"bcd"), (Kind.RETRACT, b"2"), (Kind.TIMEOUT, b""), (CLIENT_EOF, b""), (CLIENT_EOF, b"")],
        Script().send(b"a").expect(b"b").half_close(),
        Script().expect(b"a").send(b"b").expect_eof(),
    ),
]


@pytest.mark.parametrize(("events", "client", "server"), ORDERS)
def test_each_side_has_its_steps(events: Iterable[tuple[int, bytes]], client: Script, server: Script) -> None:
    connection = connection_with(*((0.0, kind, data) for kind, data in events))

    assert connection.as_script() == client
    assert connection.as_script("server") == server


def test_timing_is_that_of_the_side_that_is_played() -> None:
    connection = connection_with(
        (0.25, UP, b"a"),
        (0.2504, UP, b"b"),
        (0.75, UP, b"c"),
        (0.9, DOWN, b"d"),
        (2.1349, CLIENT_EOF, b""),
        (2.14, DOWN, b"e"),
        (2.14, CLOSE, b""),
    )

    assert connection.as_script(timing=True) == (
        Script().pause(0.25).send(b"ab").pause(0.5).send(b"c").expect(b"d").pause(1.2).half_close().expect(b"e")
        .expect_eof().close()
    )  # fmt: skip
    assert connection.as_script("server", timing=True) == (
        Script().expect(b"abc").pause(0.15).send(b"d").expect_eof().pause(0.0051).send(b"e").close()
    )


def test_who_took_long_is_waited_for_as_long_again() -> None:
    connection = connection_with((0.0, UP, b"a"), (4.0, DOWN, b"b"), (7.0, UP, b"c"))

    assert connection.as_script() == Script().send(b"a").expect(b"b", timeout=8.0).send(b"c")
    assert connection.as_script("server") == Script().expect(b"a").send(b"b").expect(b"c", timeout=6.0)


def test_datagrams_stay_apart() -> None:
    connection = connection_with(
        (0.0, UP, b"a"), (0.5, DOWN, b"b"), (0.5, DOWN, b""), (0.5, CLOSE, b""), is_datagram=True
    )

    assert connection.as_script() == Script().send(b"a").expect(b"b").expect(b"")
    assert connection.as_script("server", timing=True) == Script().expect(b"a").pause(0.5).send(b"b").send(b"")


def test_what_a_stop_ended_is_left_open() -> None:
    with windsock.serving(Counter) as server:
        client = connect(server)
        assert client.recv(100) == b"hello\r\n"
        server.stop()
        client.close()

    script = server.connections[0].as_script()

    assert server.connections[0].ending == "stopped"
    assert script.steps[0] == kinds.Expect(b"hello\r\n") or script.steps[0] == kinds.Expect(b"hello\r\n0 lines\r\n")
    assert len(script) == 1


def test_tls_in_the_middle_is_a_step() -> None:
    class Upgrading(StreamRequestHandler):
        def handle(self) -> None:
            assert self.rfile.readline() == b"STARTTLS\r\n"
            self.wfile.write(b"220 go\r\n")
            self.start_tls()
            self.wfile.write(self.rfile.readline().upper())

    with windsock.serving(Upgrading, tls="starttls") as server:
        with server.connect(tls=False) as client:
            client.send(b"STARTTLS\r\n").expect(b"220 go\r\n").start_tls().send(b"hello\r\n").expect(b"HELLO\r\n")
            client.expect_eof()
        script = recorded_by(server).as_script()
    with windsock.serving(Upgrading, tls="starttls") as server:
        with server.connect(tls=False) as client:
            client.play(script)
        assert recorded_by(server).as_script() == script

    assert script == (
        Script().send(b"STARTTLS\r\n").expect(b"220 go\r\n").start_tls().send(b"hello\r\n").expect(b"HELLO\r\n")
        .expect_eof().close()
    )  # fmt: skip


# --- what is large


def test_what_is_on_disk_is_in_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    from windsock.recording.store import memory

    monkeypatch.setattr(memory, "MEMORY", 100_000)
    data = bytes(range(256)) * 4096

    class Sink(StreamRequestHandler):
        def handle(self) -> None:
            size = len(self.rfile.read())
            self.wfile.write(b"%d" % size)

    with windsock.serving(Sink) as server:
        with server.connect() as client:
            client.send(data).half_close().expect(b"1048576").expect_eof()
        before = recorded_by(server)
        script = before.as_script()
    with windsock.serving(Sink) as server:
        with server.connect() as client:
            client.play(script)
        after = recorded_by(server)

    assert script.steps[0] == kinds.Send(data)
    assert facts(after) == facts(before)


def test_more_than_a_script_should_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connection_with(*[(0.0, UP, b"x" * 262144)] * 65)

    with pytest.raises(UsageError) as caught:
        connection.as_script()

    assert str(caught.value) == (
        "as_script(): <Connection #0 from 127.0.0.1:1: open> carried more than 16 MiB, which is too much for a script; "
        "its `chunks` give it piece by piece"
    )


def test_there_are_two_sides() -> None:
    with pytest.raises(UsageError, match=re.escape('as_script(\'sever\'): expected "client" or "server"')):
        connection_with().as_script("sever")


@on_every_concurrency
def test_a_fake_that_resets_is_recorded_as_that_and_resets_again(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.play(Script().expect(b"one").send(b"1").reset(flush=True))
        with server.connect() as client:
            client.send(b"one").expect(b"1").expect_reset()
        connection = recorded_by(server)

    assert (connection.ending, connection.as_script("server").steps[-1].method) == ("server reset", "reset")
