"""A trio server in a thread of its own: under serving(), and with the family's own methods."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http.client
import http.server
import resource
import socket
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import trio

import windsock
from tests.servers.helpers import wait_until_serving
from tests.servers.trio.helpers import EchoPacket, Quiet, raises_a_lookup_error
from tests.support.handlers import EchoLines, EchoStream
from tests.support.servers import Signal, ask, connect, on_every_stream, reset, rest_of, wait_for_end
from tests.support.waiting import DEADLINE, HOUR, ends_in_time, wait_until
from windsock import servers
from windsock.servers.trio.datagrams import DatagramRequest


def serving(handler: Any, **options: Any) -> windsock.RunningServer:
    return windsock.serving(handler, concurrency="trio", **options)


@contextlib.contextmanager
def in_thread(server: Any) -> Iterator[Any]:
    """Serve in a thread, which must end once the server is closed."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.server_close()
        thread.join(DEADLINE)
        assert not thread.is_alive()


@on_every_stream
def test_a_blocking_handler_runs_unmodified(transport: str) -> None:
    with serving(EchoLines, transport=transport, framing="lines") as server:
        assert ask(server, b"one\n", b"two\n") == [b"one\n", b"two\n"]
        assert [request.data for request in server.requests.wait(2)] == [b"one\n", b"two\n"]


def test_the_standard_library_s_http_handler_runs_unmodified() -> None:
    class Hello(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    with serving(Hello) as server:
        client = http.client.HTTPConnection(server.host, server.port, timeout=DEADLINE)
        client.request("GET", "/")
        assert client.getresponse().read() == b"hello"
        client.close()


def test_a_fake_answers_on_every_transport() -> None:
    for transport in ("tcp", "udp", "unix_stream", "unix_datagram"):
        with windsock.serving(transport=transport, concurrency="trio") as server:
            server.on(b"PING\n").reply(b"PONG\n")
            assert ask(server, b"PING\n") == [b"PONG\n"]
            assert server.requests.only().data == b"PING\n"


def test_an_asyncio_client_is_served() -> None:
    async def talk(address: Any) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"from asyncio")
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    with serving(EchoStream) as server:
        assert asyncio.run(talk(server.address)) == b"from asyncio"


def test_shutdown_returns_while_requests_go_on_and_server_close_ends_them() -> None:
    server = servers.TrioTCPServer(("127.0.0.1", 0), EchoStream)
    with in_thread(server), socket.create_connection(server.server_address, DEADLINE) as client:
        client.sendall(b"a")
        assert client.recv(10) == b"a"
        server.shutdown()
        client.sendall(b"b")
        assert client.recv(10) == b"b"
        server.server_close()
        assert client.recv(10) == b""
        assert server.wait_for_requests(0) == []


def test_a_stop_does_not_wait_for_a_handler_that_sleeps() -> None:
    class Sleeps(EchoStream):
        async def handle(self) -> None:
            await self.stream.send_all(b"ready")
            await trio.sleep_forever()

    server = serving(Sleeps, timeout=HOUR)
    with connect(server) as client:
        assert client.recv(10) == b"ready"
        with ends_in_time():
            server.stop()
        assert rest_of(client) == b""
    assert server.connections[0].ending == "stopped"
    assert list(server.errors) == []


def test_finally_blocks_run_when_the_server_stops() -> None:
    ended = threading.Event()

    class Cleans(EchoStream):
        async def handle(self) -> None:
            try:
                await self.stream.send_all(b"ready")
                await trio.sleep_forever()
            finally:
                ended.set()

    with serving(Cleans) as server, connect(server) as client:
        assert client.recv(10) == b"ready"
    assert ended.is_set()


class Stubborn(EchoStream):
    """Swallows its cancellation."""

    release: threading.Event

    async def handle(self) -> None:
        await self.stream.send_all(b"ready")
        while not self.release.is_set():
            with trio.CancelScope(shield=True):
                await trio.sleep(0.01)


class Blocking(servers.BaseRequestHandler):
    release: threading.Event

    def handle(self) -> None:
        self.request.sendall(b"ready")
        self.release.wait(DEADLINE)


class BlocksTrio(EchoStream):
    release: threading.Event

    async def handle(self) -> None:
        await self.stream.send_all(b"ready")
        self.release.wait(DEADLINE)


@pytest.mark.parametrize("handler", [Stubborn, Blocking, BlocksTrio])
def test_a_handler_that_will_not_end_is_named_and_what_is_left_can_end(handler: type) -> None:
    release = threading.Event()
    others = threading.active_count()
    server = serving(type("Handler", (handler,), {"release": release}), timeout=0.3)
    with connect(server) as client:
        assert client.recv(10) == b"ready"
        with pytest.raises(windsock.StillRunning, match=r"task 'Handler 127\.0\.0\.1:"):
            server.stop()
    release.set()
    wait_until(lambda: threading.active_count() == others, "the end of the loop")
    assert server.server.wait_for_requests(DEADLINE) == []


def test_a_handler_that_swallows_its_cancellation_once_ends_all_the_same() -> None:
    class Swallows(EchoStream):
        async def handle(self) -> None:
            await self.stream.send_all(b"ready")
            with contextlib.suppress(trio.Cancelled):
                await trio.sleep_forever()
            await trio.sleep_forever()

    with serving(Swallows) as server, connect(server) as client:
        assert client.recv(10) == b"ready"
    assert server.connections[0].ending == "stopped"


def test_a_thread_that_cannot_be_started_costs_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    from windsock.servers.threads import Threads

    def start(self: Threads, thread: threading.Thread) -> None:
        monkeypatch.undo()
        raise RuntimeError("can't start new thread")

    with serving(EchoLines, strict=False) as server:
        monkeypatch.setattr(Threads, "start", start)
        with connect(server) as client:
            assert rest_of(client) == b""
        assert [str(error) for error in server.errors] == ["can't start new thread"]
        assert ask(server, b"next\n") == [b"next\n"]


def test_an_outage_ends_connections_and_the_server_comes_back() -> None:
    with serving(EchoStream) as server, connect(server) as client:
        client.sendall(b"x")
        assert client.recv(10) == b"x"
        with server.outage():
            assert rest_of(client) == b""
            with pytest.raises(ConnectionRefusedError):
                connect(server)
        assert ask(server, b"back") == [b"back"]


@on_every_stream
def test_a_client_that_resets_is_an_outcome_and_no_error(transport: str) -> None:
    signal = Signal()

    class Floods(EchoStream):
        async def handle(self) -> None:
            signal.wait()
            while True:
                await self.stream.send_all(b"x" * 65536)

    with serving(Floods, transport=transport) as server:
        client = connect(server)
        client.sendall(b"unread")
        reset(client)
        signal.set()
        wait_for_end(server)
    signal.close()
    assert server.connections[0].ending == "client reset"
    assert list(server.errors) == []


def test_a_stream_to_somebody_else_that_breaks_is_the_handler_s_error() -> None:
    class Upstream(EchoStream):
        async def handle(self) -> None:
            mine, theirs = trio.socket.socketpair()
            theirs.close()
            async with trio.SocketStream(mine) as stream:
                await stream.send_all(b"anybody?")

    with serving(Upstream, strict=False) as server, connect(server) as client:
        assert rest_of(client) == b""
        assert [type(error) for error in server.errors] == [trio.BrokenResourceError]


def test_errors_fail_a_strict_server() -> None:
    class Fails(EchoStream):
        async def handle(self) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.fail)

        async def fail(self) -> None:
            raise LookupError("in a task of its own")

    server = serving(Fails)
    with connect(server) as client:
        assert rest_of(client) == b""
    with raises_a_lookup_error("task of its own"):
        server.finish()


def test_a_lack_of_descriptors_is_told_once_and_survived() -> None:
    told = threading.Event()
    errors: list[int | None] = []

    class Poor(servers.TrioTCPServer):
        def handle_accept_error(self, error: OSError) -> None:
            errors.append(error.errno)
            told.set()

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with in_thread(Poor(("127.0.0.1", 0), EchoStream)) as server, socket.socket() as client:
        client.settimeout(DEADLINE)
        with socket.create_connection(server.server_address, DEADLINE) as first:  # it serves
            first.sendall(b"x")
            assert first.recv(1) == b"x"
        with socket.socket() as highest:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno(), hard))
        try:
            client.connect(server.server_address)
            assert told.wait(DEADLINE)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
    assert errors == [errno.EMFILE]


def test_service_actions_are_called_between_requests_and_while_nothing_happens() -> None:
    enough = threading.Event()

    class Busy(servers.TrioTCPServer):
        count = 0

        def service_actions(self) -> None:
            self.count += 1
            if self.count == 3:
                enough.set()

    server = Busy(("127.0.0.1", 0), EchoStream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    assert enough.wait(DEADLINE)
    server.server_close()
    thread.join(DEADLINE)


def test_two_threads_may_serve_the_same_server() -> None:
    server = servers.TrioTCPServer(("127.0.0.1", 0), EchoStream)
    with in_thread(server), in_thread(server):
        for _ in range(20):
            with socket.create_connection(server.server_address, DEADLINE) as client:
                client.sendall(b"x")
                assert client.recv(1) == b"x"
        timeout = server.socket.gettimeout()
    assert timeout == 0


def test_the_listener_blocks_again_after_the_last_of_two_threads() -> None:
    server = servers.TrioTCPServer(("127.0.0.1", 0), EchoStream)
    with server:
        for _ in range(3):
            threads = [threading.Thread(target=server.serve_forever) for _ in range(2)]
            for thread in threads:
                thread.start()
            with socket.create_connection(server.server_address, DEADLINE) as client:
                client.sendall(b"x")
                assert client.recv(1) == b"x"
            wait_until(lambda: len(server._runs) == 2, "both loops")
            server.shutdown()
            for thread in threads:
                thread.join(DEADLINE)
            assert server.socket.gettimeout() is None


def test_an_exception_of_a_hook_ends_serve_forever_as_itself() -> None:
    class Breaks(Quiet):
        def service_actions(self) -> None:
            raise LookupError("not in a group")

    with Breaks(EchoStream) as server, pytest.raises(LookupError, match="not in a group"):
        server.serve_forever(poll_interval=0.001)


def test_system_exit_in_a_handler_ends_serve_forever() -> None:
    class Leaves(EchoStream):
        async def handle(self) -> None:
            raise SystemExit(3)

    ended: list[BaseException] = []
    server = servers.TrioTCPServer(("127.0.0.1", 0), Leaves)

    def serve() -> None:
        try:
            server.serve_forever()
        except SystemExit as error:
            ended.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    with socket.create_connection(server.server_address, DEADLINE) as client:
        assert client.recv(1) == b""
    thread.join(DEADLINE)
    server.server_close()
    assert [getattr(error, "code", None) for error in ended] == [3]


def test_a_request_of_a_class_of_its_own_is_made_into_a_stream() -> None:
    class Special(socket.socket):
        pass

    class Accepts(servers.TrioTCPServer):
        def get_request(self) -> Any:
            request, client_address = super().get_request()
            return Special(fileno=request.detach()), client_address

    for is_recorded in (True, False):
        if is_recorded:
            with windsock.serving(Accepts, EchoStream) as running, connect(running) as client:
                client.sendall(b"special")
                assert client.recv(10) == b"special"
                client.shutdown(socket.SHUT_WR)
                assert rest_of(client) == b""
            assert running.requests.only().reply == b"special"
        else:
            server = Accepts(("127.0.0.1", 0), EchoStream)
            with in_thread(server), socket.create_connection(server.server_address, DEADLINE) as client:
                client.sendall(b"special")
                assert client.recv(10) == b"special"
                client.shutdown(socket.SHUT_WR)
                assert rest_of(client) == b""


def test_a_reply_waits_until_its_client_has_room() -> None:
    count = 40  # more than the queue of a receiver takes that is not connected to the sender (max_dgram_qlen, unix(7))

    class Answers(EchoPacket):
        async def handle(self) -> None:
            for number in range(count):
                await self.reply(b"%d" % number)

    with (
        serving(Answers, transport="unix_datagram") as server,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(DEADLINE)
        client.bind("")  # Linux finds an abstract name
        client.sendto(b"go", server.path)
        with connect(server) as other:  # the loop goes on meanwhile
            other.send(b"go")
            assert other.recv(100) == b"0"
        assert [client.recv(100) for _ in range(count)] == [b"%d" % number for number in range(count)]


def test_a_client_that_cannot_be_answered_is_no_error() -> None:
    with serving(EchoPacket, transport="unix_datagram") as server:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
            nameless.sendto(b"who am I", server.path)
        with connect(server) as gone:
            gone.send(b"bye")
        assert len(server.requests.wait(2)) == 2


def test_a_reply_goes_on_if_the_server_has_room_by_the_time_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    original = DatagramRequest._send_now
    results = iter([False])
    monkeypatch.setattr(
        DatagramRequest, "_send_now", lambda self, data: next(results, None) is None and original(self, data)
    )

    with serving(EchoPacket, transport="unix_datagram") as server, connect(server) as client:
        client.send(b"go")
        assert client.recv(100) == b"go"
        assert list(server.errors) == []


def test_a_reply_waits_until_the_server_has_room() -> None:
    count = 40

    class Narrow(servers.TrioUnixDatagramServer):
        def server_bind(self) -> None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the least there is
            super().server_bind()

    class Answers(EchoPacket):
        async def handle(self) -> None:
            for number in range(count):
                await self.reply(b"%d" % number)

    with windsock.serving(Narrow, Answers) as server, connect(server) as client:
        client.send(b"go")
        assert [client.recv(100) for _ in range(count)] == [b"%d" % number for number in range(count)]


@pytest.mark.parametrize("kind", [servers.TrioTCPServer, servers.TrioUDPServer])
def test_a_listener_that_is_closed_just_before_the_loop_waits_for_it_ends_the_loop(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_readable = trio.lowlevel.wait_readable
    waits: list[int] = []

    async def closed_meanwhile(descriptor: int) -> None:
        if descriptor == server.fileno():
            waits.append(descriptor)
            server.socket.close()
        await wait_readable(descriptor)

    monkeypatch.setattr(trio.lowlevel, "wait_readable", closed_meanwhile)
    with kind(("127.0.0.1", 0), EchoLines) as server:
        server.serve_forever()

    assert len(waits) == 1


@pytest.mark.parametrize("timeouts", [1, 2], ids=["at its begin", "at its end"])
def test_a_listener_that_is_closed_while_the_loop_sets_its_timeout_ends_the_loop(timeouts: int) -> None:
    class Closed(socket.socket):
        seen: ClassVar[list[float | None]] = []

        def settimeout(self, value: float | None) -> None:
            self.seen.append(value)
            if len(self.seen) == timeouts:
                self.close()
            super().settimeout(value)

    with servers.TrioTCPServer(("127.0.0.1", 0), EchoLines) as server:
        server.socket = Closed(fileno=server.socket.detach())
        thread = threading.Thread(target=server.serve_forever, name="serving")
        thread.start()
        if timeouts == 2:
            wait_until_serving(server)
            server.shutdown()
        thread.join(DEADLINE)
        assert not thread.is_alive()

    assert Closed.seen == [0.0, None]
