"""Requests take turns in one thread: nobody waits for a slow client, and everything looks as if it blocked."""

from __future__ import annotations

import contextlib
import contextvars
import http.server
import socket
import struct
import threading
import urllib.request
from typing import Any

import pytest

import windsock
from tests.harness.helpers import DEADLINE, reset, rest_of
from tests.selecting.helpers import (
    DATAGRAMS,
    STREAMS,
    Echo,
    Lines,
    Packet,
    connect,
    read,
    running,
    wait_until,
)
from windsock import servers

on_every_stream = pytest.mark.parametrize("kind", STREAMS)
on_every_datagram = pytest.mark.parametrize("kind", DATAGRAMS)


@on_every_stream
def test_a_stream_handler_with_files_works_unmodified(kind: Any) -> None:
    with running(kind, Lines) as server, connect(server) as client:
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

    class Noting(Echo):
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
    with running(kind, Lines) as server, connect(server), connect(server) as half, connect(server) as fast:
        half.sendall(b"begun, but no")
        fast.sendall(b"hello\n")

        assert read(fast, 6) == b"HELLO\n"


@on_every_stream
def test_where_there_is_no_epoll_poll_does(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("select.epoll", raising=False)

    class Impatient(Lines):
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
    with running(kind, Echo, request_queue_size=128) as server, contextlib.ExitStack() as stack:
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
    with running(kind, Echo) as server, connect(server) as client:
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
@pytest.mark.parametrize(
    "read_once",
    [
        lambda request: request.recv(10),
        lambda request: request.recv_into(bytearray(10)),
        lambda request: request.recvfrom(10),
        lambda request: request.recvfrom_into(bytearray(10)),
        lambda request: request.recvmsg(10),
        lambda request: request.recvmsg_into([bytearray(10)]),
        lambda request: request.makefile("rb").read(1),
    ],
    ids=["recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into", "makefile"],
)
def test_every_way_to_read_waits_and_times_out_by_itself_alone(kind: Any, read_once: Any) -> None:
    outcomes = []

    class Reader(servers.BaseRequestHandler):
        def handle(self) -> None:
            read_once(self.request)
            outcomes.append("came")
            self.request.settimeout(0.05)
            assert self.request.gettimeout() == 0.05
            try:
                read_once(self.request)
            except TimeoutError:
                outcomes.append("timed out")
                self.request.settimeout(None)
                self.request.sendall(b"over")

    with running(kind, Reader) as server, connect(server) as client, connect(server):
        client.sendall(b"x")

        assert client.recv(10) == b"over"
    assert outcomes[:2] == ["came", "timed out"]


@on_every_stream
@pytest.mark.parametrize(
    "write_once",
    [
        lambda request, data: request.sendall(data),
        lambda request, data: request.send(data),
        lambda request, data: request.sendmsg([data]),
        lambda request, data: request.makefile("wb").write(data),
    ],
    ids=["sendall", "send", "sendmsg", "makefile"],
)
def test_every_way_to_write_waits_and_times_out(kind: Any, write_once: Any) -> None:
    outcomes = []

    class Writer(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(0.05)
            try:
                while True:
                    write_once(self.request, bytes(1_000_000))
            except TimeoutError:
                outcomes.append("timed out")

    with running(kind, Writer) as server, connect(server):
        wait_until(lambda: outcomes, "the timeout")


@on_every_stream
def test_a_file_is_sent_as_a_whole(kind: Any, tmp_path: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(200)) * 20_000)

    class Sender(servers.BaseRequestHandler):
        def handle(self) -> None:
            with path.open("rb") as file:
                assert self.request.sendfile(file, 100) == 200 * 20_000 - 100

    with running(kind, Sender) as server, connect(server) as client:
        assert rest_of(client) == path.read_bytes()[100:]
        assert server.errors == []


@on_every_stream
def test_a_handler_that_asks_not_to_wait_does_not(kind: Any) -> None:
    outcomes = []

    class Asking(servers.BaseRequestHandler):
        def handle(self) -> None:
            for how in ("flag", "setblocking"):
                try:
                    if how == "flag":
                        self.request.recv(1, socket.MSG_DONTWAIT)
                    else:
                        self.request.setblocking(False)
                        self.request.recv(1)
                except BlockingIOError:
                    outcomes.append((how, self.request.getblocking(), self.request.timeout))
            self.request.setblocking(True)
            outcomes.append((self.request.recv(1), self.request.getblocking(), self.request.gettimeout()))

    with running(kind, Asking) as server, connect(server) as client:
        wait_until(lambda: len(outcomes) == 2, "both answers")
        client.sendall(b"x")
        wait_until(lambda: len(outcomes) == 3, "the byte")

    assert outcomes == [("flag", True, None), ("setblocking", False, 0.0), (b"x", True, None)]


@on_every_stream
def test_a_handler_s_timeout_leaves_no_trail_of_timers(kind: Any) -> None:
    class Patient(Lines):
        timeout = 60.0

    with running(kind, Patient) as server, connect(server) as client:
        for _ in range(100):
            client.sendall(b"x\n")
            assert read(client, 2) == b"X\n"

        assert [len(hub._timers) for hub in server._hubs] == [1]


@on_every_stream
def test_a_reset_ends_its_own_request_only(kind: Any) -> None:
    ends = []

    class Told(Echo):
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


@on_every_stream
def test_an_error_in_a_handler_ends_its_own_request_only(kind: Any) -> None:
    class Failing(Echo):
        def handle(self) -> None:
            if self.request.recv(1) == b"!":
                raise ValueError("on purpose")
            super().handle()

    with running(kind, Failing) as server, connect(server) as bad, connect(server) as good:
        bad.sendall(b"!")
        assert rest_of(bad) == b""
        good.sendall(b"?yes")

        assert read(good, 3) == b"yes"
        assert [type(error) for error in server.errors] == [ValueError]


@on_every_stream
def test_system_exit_ends_its_own_request_only(kind: Any) -> None:
    class Leaving(Echo):
        def handle(self) -> None:
            if self.request.recv(1) == b"!":
                raise SystemExit(3)
            super().handle()

    with running(kind, Leaving) as server, connect(server) as bad, connect(server) as good:
        bad.sendall(b"!")
        assert rest_of(bad) == b""
        good.sendall(b"?yes")

        assert read(good, 3) == b"yes"


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


@on_every_stream
def test_a_handler_may_write_to_the_socket_of_another_request(kind: Any) -> None:
    members: list[Any] = []

    class Chat(servers.StreamRequestHandler):
        def handle(self) -> None:
            members.append(self.request)
            for line in self.rfile:
                for each in members:
                    each.sendall(line)

    with running(kind, Chat) as server, connect(server) as one, connect(server) as two:
        wait_until(lambda: len(members) == 2, "both members")
        one.sendall(b"hello\n")
        assert read(one, 6) == read(two, 6) == b"hello\n"
        two.sendall(b"there\n")
        assert read(one, 6) == read(two, 6) == b"there\n"


@on_every_stream
def test_a_thread_of_the_handler_can_use_its_socket(kind: Any) -> None:
    class Helped(servers.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(1) == b"t":
                self.work = threading.Thread(target=self.talk)
                self.work.start()
                self.work.join(DEADLINE)

        def talk(self) -> None:
            self.request.settimeout(DEADLINE)
            self.request.sendall(b"waiting")
            self.request.sendall(self.request.recv(10).upper())

    with running(kind, Helped) as server, connect(server) as client:
        client.sendall(b"t")
        assert read(client, 7) == b"waiting"
        client.sendall(b"shout")

        assert read(client, 5) == b"SHOUT"


@on_every_stream
def test_a_socket_closed_by_another_request_ends_the_wait_for_it(kind: Any) -> None:
    sockets: list[Any] = []

    class Closing(servers.BaseRequestHandler):
        def handle(self) -> None:
            sockets.append(self.request)
            if self.request.recv(1) == b"c":
                sockets[0].close()

    with running(kind, Closing) as server, connect(server), connect(server) as second:
        wait_until(lambda: len(sockets) == 2, "both requests")
        second.sendall(b"c")
        wait_until(lambda: not server.table, "the end of both")

        assert [type(error) for error in server.errors] == [OSError]


@on_every_stream
def test_a_socket_closed_by_another_thread_ends_the_wait_for_it(kind: Any) -> None:
    sockets: list[Any] = []

    class Held(servers.BaseRequestHandler):
        def handle(self) -> None:
            sockets.append(self.request)
            self.request.recv(1)

    with running(kind, Held) as server, connect(server):
        wait_until(lambda: server.table and server.table[0].doing == "reading", "a handler that reads")
        sockets[0].close()
        wait_until(lambda: not server.table, "the end of the request")


@on_every_stream
def test_a_duplicate_of_a_request_s_socket_works_alike(kind: Any) -> None:
    class Doubling(servers.BaseRequestHandler):
        def handle(self) -> None:
            with self.request.dup() as twin:
                twin.sendall(twin.recv(10))
                assert twin.gettimeout() is None

    with running(kind, Doubling) as server, connect(server) as client:
        wait_until(lambda: server.table, "the request")
        client.sendall(b"x")

        assert rest_of(client) == b"x"
        assert server.errors == []


def test_a_handler_can_connect_elsewhere_without_keeping_others_waiting() -> None:
    class Proxy(servers.BaseRequestHandler):
        def handle(self) -> None:
            with self.request.dup() as twin:
                kind = type(twin)
            with kind(socket.AF_INET, socket.SOCK_STREAM).belong_to(twin._hub) as upstream:
                upstream.connect(self.server.elsewhere)
                upstream.sendall(self.request.recv(10))
                self.request.sendall(upstream.recv(10))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        with (
            running(servers.SelectingTCPServer, Proxy, elsewhere=listener.getsockname()) as server,
            connect(server) as client,
        ):
            client.sendall(b"ask")
            upstream, _ = listener.accept()
            with upstream:
                assert upstream.recv(10) == b"ask"
                upstream.sendall(b"answer")

            assert rest_of(client) == b"answer"


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


@pytest.mark.parametrize("is_connected", [False, True], ids=["its queue", "the server's buffer"])
def test_a_unix_client_that_does_not_take_its_datagrams_keeps_nobody_waiting(is_connected: bool) -> None:
    class Many(servers.BaseRequestHandler):
        def handle(self) -> None:
            data, server_socket = self.request
            for number in range(200 if data == b"many" else 1):
                server_socket.sendto(b"%4096d" % number, self.client_address)

    with running(servers.SelectingUnixDatagramServer, Many) as server, connect(server) as fast:
        with connect(server) if is_connected else socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as slow:
            if not is_connected:
                slow.bind("")
                slow.settimeout(DEADLINE)
            slow.sendto(b"many", server.server_address)
            wait_until(lambda: [row.doing for row in server.table] == ["writing"], "a handler that waits for room")
            if not is_connected:  # otherwise there is no room for anybody
                fast.send(b"one")
                assert int(fast.recv(5000)) == 0

            assert [int(slow.recv(5000)) for _ in range(200)] == list(range(200))
        assert server.errors == []


def test_the_table_says_who_does_what_since_when() -> None:
    with running(servers.SelectingTCPServer, Lines) as server, connect(server) as client:
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
        with windsock.serving(Lines, concurrency=concurrency, framing="lines") as server:
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
            servers.SelectingTCPServer, Echo, handle_accept_error=lambda self, error: complaints.append(error)
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


def test_linger_zero_of_a_handler_resets_its_client() -> None:
    class Rude(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.request.close()

    with running(servers.SelectingTCPServer, Rude) as server, connect(server) as client:
        client.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
