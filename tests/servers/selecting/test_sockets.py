"""A request's socket looks as if it blocked: every call waits, times out and fails as it always does."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from typing import Any

import pytest

from tests.servers.selecting.helpers import DATAGRAMS, STREAMS, connect, hub_here, read, running
from tests.support.handlers import UpperLines
from tests.support.servers import rest_of
from tests.support.waiting import DEADLINE, wait_until
from windsock import servers
from windsock.servers.selecting.green_socket import green
from windsock.servers.selecting.hub import Hub
from windsock.servers.selecting.readiness import Readiness
from windsock.servers.selecting.request_greenlet import Alarms

on_every_stream = pytest.mark.parametrize("kind", STREAMS)
on_every_datagram = pytest.mark.parametrize("kind", DATAGRAMS)


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


def write_to_file(request: Any, data: bytes) -> None:
    file = request.makefile("wb")
    try:
        file.write(data)
    finally:
        with contextlib.suppress(TimeoutError):  # of the rest
            file.close()


@on_every_stream
@pytest.mark.parametrize(
    "write_once",
    [
        lambda request, data: request.sendall(data),
        lambda request, data: request.send(data),
        lambda request, data: request.sendmsg([data]),
        lambda request, data: write_to_file(request, data),
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
def test_a_timeout_that_ends_while_another_handler_has_the_loop_finds_what_has_come(kind: Any) -> None:
    class Handler(servers.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(1) == b"w":
                self.request.settimeout(0.3)
                blocks.sendall(b"b")  # the other handler runs next
                self.request.sendall(self.request.recv(10))
            else:
                waits.sendall(b"in time")
                time.sleep(0.4)

    with running(kind, Handler) as server, connect(server) as blocks, connect(server) as waits:
        waits.sendall(b"w")

        assert read(waits, 7) == b"in time"
        assert server.errors == []


@on_every_stream
def test_a_handler_s_timeout_leaves_no_trail_of_timers(kind: Any) -> None:
    class Patient(UpperLines):
        timeout = 60.0

    with running(kind, Patient) as server, connect(server) as client:
        for _ in range(100):
            client.sendall(b"x\n")
            assert read(client, 2) == b"X\n"

        assert [len(hub._alarms) for hub in server._hubs] == [1]


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


def before_it_is_noted(hub: Any, close: Any, monkeypatch: Any) -> None:
    """The descriptor is closed, and its number given to another file, once the handler has asked for it."""
    original = hub.wait_for

    def wait_for(*args: Any) -> Any:
        close()
        return original(*args)

    monkeypatch.setattr(hub, "wait_for", wait_for)


def before_the_kernel_watches(hub: Any, close: Any, monkeypatch: Any) -> None:
    """It is closed as the handler looks whether the kernel watches already."""

    def watched(readiness: Readiness) -> Any:
        close()
        return vars(readiness)["watched"]

    monkeypatch.setattr(Readiness, "watched", property(watched), raising=False)


def once_the_kernel_watches(hub: Any, close: Any, monkeypatch: Any) -> None:
    original = Alarms.set

    def set_alarm(*args: Any) -> None:
        close()
        original(*args)

    monkeypatch.setattr(Alarms, "set", set_alarm)


def as_it_lets_others_run(hub: Any, close: Any, monkeypatch: Any) -> None:
    class Home:
        def switch(self, home: Any = hub.home) -> Any:
            close()
            return home.switch()

    monkeypatch.setattr(hub, "home", Home())


@on_every_stream
@pytest.mark.parametrize("is_reused", [False, True], ids=["closed", "closed and opened again"])
@pytest.mark.parametrize(
    "at", [before_it_is_noted, before_the_kernel_watches, once_the_kernel_watches, as_it_lets_others_run]
)
def test_a_socket_closed_in_the_moment_in_which_a_wait_begins_ends_it(
    kind: Any, at: Any, is_reused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.ExitStack() as opened:

        class Held(servers.BaseRequestHandler):
            def handle(self) -> None:
                self.request.settimeout(10 * DEADLINE)
                if not self.server.errors:
                    at(hub_here(), self.close, monkeypatch)
                self.request.recv(1)

            def close(self) -> None:
                monkeypatch.undo()
                thread = threading.Thread(target=self.close_now)
                thread.start()
                thread.join(DEADLINE)

            def close_now(self) -> None:
                number = self.request.fileno()
                self.request.close()
                if is_reused:
                    one, other = socket.socketpair()
                    opened.enter_context(one)
                    opened.enter_context(other)
                    assert number in (one.fileno(), other.fileno())

        with running(kind, Held) as server, connect(server):
            wait_until(lambda: server.errors, "the end of the request")
            assert [str(error) for error in server.errors] == ["[Errno 9] Bad file descriptor"]

            with connect(server) as next_one, connect(server):  # whose numbers are the same as those that were closed
                wait_until(lambda: len(server.table) == 2, "requests that wait")
                next_one.sendall(b"x")
                wait_until(lambda: len(server.table) == 1, "the one that has read")
                assert len(server.errors) == 1


@on_every_stream
def test_whoever_is_woken_before_the_socket_is_closed_does_not_wait_again(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets: list[Any] = []

    class Held(servers.BaseRequestHandler):
        def handle(self) -> None:
            sockets.append(self.request)
            self.request.recv(1)

    def part_with(*args: Any) -> None:
        """Let the handler go on as far as it can, before the descriptor is closed."""
        since = server.table[0].since if server.table else 0.0
        original(*args)
        if threading.current_thread() is closing:
            wait_until(lambda: not server.table or server.table[0].since > since, "the handler's next step")
            wait_until(lambda: not server.table or server.table[0].doing == "reading", "its end, or its next wait")

    closing = threading.current_thread()
    original = Hub.part_with
    with running(kind, Held) as server, connect(server):
        wait_until(lambda: server.table and server.table[0].doing == "reading", "a handler that reads")
        with monkeypatch.context() as patch:
            patch.setattr(Hub, "part_with", part_with)
            sockets[0].close()

        wait_until(lambda: not server.table, "the end of the request")
        assert [str(error) for error in server.errors] == ["[Errno 9] Bad file descriptor"]


@on_every_stream
def test_a_number_whose_socket_was_closed_behind_our_back_is_watched_anew(kind: Any) -> None:
    class Careless(servers.BaseRequestHandler):
        def handle(self) -> None:
            numbers.append(self.request.fileno())
            if self.request.recv(1) == b"c":
                os.close(socket.SocketType.detach(self.request))  # without a word to the loop

    numbers: list[int] = []
    with running(kind, Careless) as server, connect(server) as first:
        wait_until(lambda: server.table and server.table[0].doing == "reading", "a handler that reads")
        with socket.socket(server.address_family) as second:  # whose own number is not the one that is free then
            first.sendall(b"c")
            wait_until(lambda: not server.table, "its end")
            second.settimeout(DEADLINE)
            second.connect(server.server_address)
            wait_until(lambda: server.table and server.table[0].doing == "reading", "another handler that reads")
            second.sendall(b"x")

            assert rest_of(second) == b""
        assert numbers[0] == numbers[1]


@on_every_stream
def test_a_socket_that_outlives_its_loop_can_be_closed(kind: Any) -> None:
    twins: list[Any] = []

    class Leaves(servers.BaseRequestHandler):
        def handle(self) -> None:
            twins.append(self.request.dup())
            twins[0].recv(1)

    with running(kind, Leaves) as server, connect(server) as client:
        client.sendall(b"x")
        wait_until(lambda: twins and not server.table, "the end of the request")
    twins[0].close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        twins[0].recv(1)


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
            with kind(socket.AF_INET, socket.SOCK_STREAM).belong_to(hub_here()) as upstream:
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


@on_every_stream
@pytest.mark.parametrize("how", ["sendall", "sendmsg"])
def test_several_requests_may_wait_to_write_to_the_same_client(kind: Any, how: str) -> None:
    members: list[Any] = []
    size = 8_000_000

    class Pours(servers.BaseRequestHandler):
        def handle(self) -> None:
            members.append(self.request)
            if self.request.recv(1) == b"p":
                left = size
                while left:
                    left -= self.pour(members[0], bytes(left))

        def pour(self, to: Any, data: bytes) -> int:
            if how == "sendmsg":
                return int(to.sendmsg([data]))
            to.sendall(data)
            return len(data)

    with running(kind, Pours) as server, connect(server) as target, contextlib.ExitStack() as stack:
        wait_until(lambda: members, "the client that is written to")
        for _ in range(3):
            stack.enter_context(connect(server)).sendall(b"p")
        wait_until(lambda: [row.doing for row in server.table].count("writing") == 3, "three that wait to write")

        assert len(read(target, 3 * size)) == 3 * size
        wait_until(lambda: len(server.table) == 1, "their end")


def test_a_handler_can_listen_too() -> None:
    places: list[Any] = []

    class Listens(servers.BaseRequestHandler):
        def handle(self) -> None:
            with green(socket.create_server(("127.0.0.1", 0)), hub_here()) as listener:
                places.append(listener.getsockname())
                other, _ = listener.accept()
                with other:
                    self.request.sendall(other.recv(10))
                listener.settimeout(0.01)
                with pytest.raises(TimeoutError):
                    listener.accept()

    with running(servers.SelectingTCPServer, Listens) as server, connect(server) as client:
        wait_until(lambda: places, "the listener")
        with socket.create_connection(places[0], DEADLINE) as other:
            other.sendall(b"aside")

        assert rest_of(client) == b"aside"
        assert server.errors == []


def test_a_refused_connection_is_refused_as_ever() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))

        class Connects(servers.BaseRequestHandler):
            def handle(self) -> None:
                with green(socket.socket(), hub_here()) as upstream:
                    upstream.connect(nobody.getsockname())

        with running(servers.SelectingTCPServer, Connects) as server, connect(server) as client:
            assert rest_of(client) == b""
            assert [type(error) for error in server.errors] == [ConnectionRefusedError]


@pytest.mark.parametrize("how", ["sendto", "sendto with flags", "sendmsg"])
def test_every_way_to_answer_a_datagram_works(how: str) -> None:
    class Answers(servers.BaseRequestHandler):
        def handle(self) -> None:
            data, server_socket = self.request
            if how == "sendto":
                server_socket.sendto(data, self.client_address)
            elif how == "sendto with flags":
                server_socket.sendto(data, 0, self.client_address)
            else:
                server_socket.sendmsg([data], (), 0, self.client_address)

    with running(servers.SelectingUDPServer, Answers) as server, connect(server) as client:
        client.send(b"x")

        assert client.recv(10) == b"x"
        wait_until(lambda: not server.table, "the end")
        assert server.errors == []


@on_every_datagram
def test_an_answer_goes_on_if_the_server_has_room_by_the_time_it_looks(kind: Any) -> None:
    class Waits(servers.BaseRequestHandler):
        def handle(self) -> None:
            data, server_socket = self.request
            server_socket._wait_for_room(self.client_address, None)
            server_socket.sendto(data, self.client_address)

    with running(kind, Waits) as server, connect(server) as client:
        client.send(b"x")

        assert client.recv(10) == b"x"
        assert server.errors == []


@on_every_stream
def test_a_detached_descriptor_blocks_again(kind: Any) -> None:
    class Detaches(servers.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(fileno=self.request.detach()) as plain:
                plain.sendall(b"plain" if os.get_blocking(plain.fileno()) else b"green")

    with running(kind, Detaches) as server, connect(server) as client:
        assert rest_of(client) == b"plain"


@on_every_stream
def test_a_handler_may_shut_down_and_close_its_socket_itself(kind: Any) -> None:
    class Closes(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"end")
            self.request.shutdown(socket.SHUT_RDWR)
            self.request.close()
            with pytest.raises(OSError, match="Bad file descriptor"):
                self.request.recv(1)

    with running(kind, Closes) as server, connect(server) as client:
        assert rest_of(client) == b"end"
        wait_until(lambda: not server.table, "the end")
        assert server.errors == []
