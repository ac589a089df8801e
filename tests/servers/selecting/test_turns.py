"""Requests take turns in one thread: nobody waits for a slow client, and everything looks as if it blocked."""

from __future__ import annotations

import contextlib
import contextvars
import http.server
import socket
import threading
import urllib.request
from typing import Any

import pytest

import windsock
from tests.servers.selecting.helpers import DATAGRAMS, STREAMS, Packet, connect, read, running
from tests.support.handlers import EchoBytes, UpperLines
from tests.support.servers import reset, rest_of
from tests.support.waiting import DEADLINE, wait_until
from windsock import servers

on_every_stream = pytest.mark.parametrize("kind", STREAMS)
on_every_datagram = pytest.mark.parametrize("kind", DATAGRAMS)


@on_every_stream
def test_a_stream_handler_with_files_works_unmodified(kind: Any) -> None:
    with running(kind, UpperLines) as server, connect(server) as client:
        client.sendall(b"one\ntwo\nthr")
        assert read(client, 8) == b"ONE\nTWO\n"
        client.sendall(b"ee\n")
        client.shutdown(socket.SHUT_WR)

        assert rest_of(client) == b"THREE\n"


@on_every_datagram
def test_a_datagram_handler_works_unmodified(kind: Any) -> None:
    with running(kind, Packet) as server, connect(server) as client:
        client.send(b"one")
        assert client.recv(100) == b"ONE"
        client.send(b"two")
        assert client.recv(100) == b"TWO"


@on_every_stream
def test_all_requests_run_in_the_thread_of_the_loop(kind: Any) -> None:
    threads = set()

    class Noting(EchoBytes):
        def handle(self) -> None:
            threads.add(threading.current_thread().name)
            super().handle()

    with running(kind, Noting) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(10)]
        for client in clients:
            client.sendall(b"x")
        for client in clients:
            assert client.recv(1) == b"x"

    assert threads == {"serving"}


@on_every_stream
def test_a_client_that_says_nothing_keeps_nobody_waiting(kind: Any) -> None:
    with running(kind, UpperLines) as server, connect(server), connect(server) as half, connect(server) as fast:
        half.sendall(b"begun, but no")
        fast.sendall(b"hello\n")

        assert read(fast, 6) == b"HELLO\n"


@on_every_stream
def test_where_there_is_no_epoll_poll_does(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("windsock.net.system.select.epoll", raising=False)

    class Impatient(UpperLines):
        timeout = 0.05

    with running(kind, Impatient) as server, connect(server) as slow, connect(server) as client:
        client.sendall(b"one\n")
        assert read(client, 4) == b"ONE\n"

        assert rest_of(slow) == b""
        assert [type(error) for error in server.errors[:1]] == [TimeoutError]


@on_every_stream
def test_a_client_that_never_reads_ten_megabytes_keeps_nobody_waiting(kind: Any) -> None:
    class Generous(servers.BaseRequestHandler):
        def handle(self) -> None:
            data = self.request.recv(100)
            self.request.sendall(bytes(10_000_000) if data == b"much" else data)

    with running(kind, Generous) as server, connect(server) as greedy, connect(server) as modest:
        greedy.sendall(b"much")
        wait_until(lambda: [row.doing for row in server.table[:1]] == ["writing"], "a handler that waits to write")
        modest.sendall(b"little")
        assert modest.recv(100) == b"little"
        rows = server.table

        assert 0 < rows[0].sent < 10_000_000
        assert len(read(greedy, 10_000_000)) == 10_000_000


@on_every_stream
def test_a_client_that_never_stops_sending_keeps_nobody_waiting(kind: Any) -> None:
    class Sink(servers.BaseRequestHandler):
        def handle(self) -> None:
            while data := self.request.recv(4096):
                if data == b"ping":
                    self.request.sendall(b"pong")

    stop = threading.Event()
    with running(kind, Sink) as server, connect(server) as flood, connect(server) as modest:

        def pour() -> None:
            with contextlib.suppress(OSError):
                while not stop.is_set():
                    flood.sendall(bytes(65536))

        pouring = threading.Thread(target=pour)
        pouring.start()
        try:
            for _ in range(20):
                modest.sendall(b"ping")
                assert modest.recv(4) == b"pong"
        finally:
            stop.set()
            pouring.join(DEADLINE)


@on_every_stream
def test_new_clients_come_in_while_many_others_are_served(kind: Any) -> None:
    with running(kind, EchoBytes, request_queue_size=128) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(100)]
        for turn in range(3):
            for client in clients:
                client.sendall(b"%d" % turn)
            clients.append(stack.enter_context(connect(server)))
            clients[-1].sendall(b"%d" % turn)
            assert {client.recv(1) for client in clients} == {b"%d" % turn}


@on_every_stream
def test_big_transfers_go_both_ways_at_once(kind: Any) -> None:
    size = 8_000_000
    with running(kind, EchoBytes) as server, connect(server) as client:
        sending = threading.Thread(target=client.sendall, args=(bytes(range(250)) * (size // 250),))
        sending.start()
        answer = read(client, size)
        sending.join(DEADLINE)

        assert answer == bytes(range(250)) * (size // 250)


@on_every_stream
def test_a_client_can_half_close_and_still_be_answered(kind: Any) -> None:
    class Whole(servers.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.read()[::-1])

    with running(kind, Whole) as server, connect(server) as client:
        client.sendall(b"abc")
        client.shutdown(socket.SHUT_WR)

        assert rest_of(client) == b"cba"


@on_every_stream
def test_a_handler_can_half_close_and_still_read(kind: Any) -> None:
    heard = []

    class Early(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"bye")
            self.request.shutdown(socket.SHUT_WR)
            while data := self.request.recv(100):
                heard.append(data)

    with running(kind, Early) as server, connect(server) as client:
        assert rest_of(client) == b"bye"
        client.sendall(b"late")
        client.close()
        wait_until(lambda: not server.table, "the end of the request")

    assert b"".join(heard) == b"late"


@on_every_stream
def test_a_reset_ends_its_own_request_only(kind: Any) -> None:
    ends = []

    class Told(EchoBytes):
        def handle(self) -> None:
            try:
                super().handle()
            finally:
                ends.append(self.client_address)

    with running(kind, Told) as server, connect(server) as other:
        client = connect(server)
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        if kind is servers.SelectingTCPServer:
            reset(client)
        else:
            client.close()
        wait_until(lambda: ends, "the end of the first request")
        other.sendall(b"y")

        assert other.recv(1) == b"y"
        assert server.errors == []


@pytest.mark.parametrize(("error", "told"), [(ValueError("on purpose"), [ValueError]), (SystemExit(3), None)])
@on_every_stream
def test_an_error_in_a_handler_ends_its_own_request_only(
    kind: Any, error: BaseException, told: list[type[Exception]] | None
) -> None:
    class Failing(EchoBytes):
        def handle(self) -> None:
            if self.request.recv(1) == b"!":
                raise error
            super().handle()

    with running(kind, Failing) as server, connect(server) as bad, connect(server) as good:
        bad.sendall(b"!")
        assert rest_of(bad) == b""
        good.sendall(b"?yes")

        assert read(good, 3) == b"yes"
        assert told is None or [type(each) for each in server.errors] == told


@on_every_stream
def test_each_request_has_context_variables_of_its_own(kind: Any) -> None:
    name: contextvars.ContextVar[bytes] = contextvars.ContextVar("name", default=b"nobody")

    class Named(servers.BaseRequestHandler):
        def handle(self) -> None:
            before = name.get()
            name.set(self.request.recv(10))
            self.request.sendall(b"known")
            self.request.recv(10)
            self.request.sendall(before + b" " + name.get())

    with running(kind, Named) as server, connect(server) as one, connect(server) as two:
        for client, who in ((one, b"one"), (two, b"two")):
            client.sendall(who)
            assert client.recv(10) == b"known"
        answers = []
        for client in (one, two):
            client.sendall(b"?")
            answers.append(rest_of(client))

    assert answers == [b"nobody one", b"nobody two"]


def test_handlers_of_http_server_work_unmodified() -> None:
    class Hello(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with windsock.serving(Hello, concurrency="selecting") as server:
        for _ in range(3):
            with urllib.request.urlopen(f"http://{server.host}:{server.port}/", timeout=DEADLINE) as answer:
                assert answer.read() == b"hello"
        assert len(server.requests) == 3


def test_the_table_says_who_does_what_since_when() -> None:
    with running(servers.SelectingTCPServer, UpperLines) as server, connect(server) as client:
        client.sendall(b"one\nhalf")
        assert read(client, 4) == b"ONE\n"
        wait_until(lambda: server.table[0].doing == "reading", "a handler that waits")
        row = server.table[0]

        assert row.client_address == client.getsockname()
        assert (row.received, row.sent) == (8, 4)
        assert row.since > 0
        client.close()
        wait_until(lambda: server.table == [], "the end of the request")


def test_the_table_names_a_handler_that_keeps_all_others_waiting() -> None:
    go_on = threading.Event()

    class Blocking(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1)
            go_on.wait(DEADLINE)

    with running(servers.SelectingTCPServer, Blocking) as server, connect(server) as client:
        client.sendall(b"x")
        wait_until(lambda: [row.doing for row in server.table] == ["running"], "a handler that runs")
        go_on.set()


def test_a_recorded_conversation_is_the_same_as_under_threads() -> None:
    def talk(concurrency: str) -> Any:
        with windsock.serving(UpperLines, concurrency=concurrency, framing="lines") as server:
            with socket.create_connection(server.address, DEADLINE) as client:
                for line in (b"one\n", b"two\n"):
                    client.sendall(line)
                    assert client.recv(10) == line.upper()
            requests = server.requests.wait(2)
            wait_until(lambda: server.connections[0].closed is not None, "the end")
            connection = server.connections[0]
            return (
                [(each.data, each.reply) for each in requests],
                connection.upstream,
                connection.downstream,
                connection.ending,
            )

    assert talk("selecting") == talk("threading")


def test_lack_of_descriptors_is_waited_out() -> None:
    import resource

    complaints: list[OSError] = []
    with (
        running(
            servers.SelectingTCPServer, EchoBytes, handle_accept_error=lambda self, error: complaints.append(error)
        ) as server,
        connect(server) as first,
    ):
        first.sendall(b"a")
        assert first.recv(1) == b"a"
        second = connect_later = socket.socket()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        with connect_later:
            second.settimeout(DEADLINE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (second.fileno() + 1, limits[1]))
            try:
                second.connect(server.server_address)
                second.sendall(b"b")
                wait_until(lambda: complaints, "a complaint")
                first.sendall(b"c")
                assert first.recv(1) == b"c"
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert second.recv(1) == b"b"
