"""A selecting server's end: its requests end with it, their finally blocks run, and who will not end is named."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from greenlet import GreenletExit

import windsock
from tests.servers.selecting.helpers import DATAGRAMS, STREAMS, Packet, connect, hub_here, read, running
from tests.support.handlers import EchoBytes, UpperLines
from tests.support.processes import run_python
from tests.support.servers import rest_of
from tests.support.waiting import DEADLINE, HOUR, ends_in_time, wait_until
from windsock import servers
from windsock.servers.selecting.green_socket import green

on_every_stream = pytest.mark.parametrize("kind", STREAMS)


class Ending(servers.BaseRequestHandler):
    """Counts its ends."""

    def handle(self) -> None:
        try:
            self.work()
        except GreenletExit:
            self.server.ends.append("exit")
            raise
        finally:
            self.server.ends.append("finally")

    def work(self) -> None:
        self.request.recv(1)


class Writing(Ending):
    """Waits for a client that never reads."""

    def work(self) -> None:
        self.request.sendall(bytes(10_000_000))


class Elsewhere(Ending):
    """Waits for somebody else than its client, who does not say anything."""

    def work(self) -> None:
        here, there = socket.socketpair()
        with here, there, green(here, hub_here()) as mine:
            mine.recv(1)


@contextlib.contextmanager
def many_descriptors() -> Iterator[None]:
    """Allow as many descriptors as there can be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_stopping_with_a_thousand_open_connections_runs_their_finally_blocks() -> None:
    ends: list[str] = []
    kind = servers.SelectingTCPServer
    with (
        many_descriptors(),
        contextlib.ExitStack() as clients,
        running(kind, Ending, ends=ends, request_queue_size=1024) as server,
    ):
        for _ in range(1000):
            clients.enter_context(connect(server))
        wait_until(lambda: len(server.table) == 1000, "a thousand requests")

    assert ends == ["finally"] * 1000


@on_every_stream
def test_a_handler_that_reads_sees_the_end_of_the_stream_when_the_server_stops(kind: Any) -> None:
    ends: list[str] = []

    class Polite(Ending):
        def work(self) -> None:
            assert self.request.recv(1) == b""
            self.request.sendall(b"bye")

    with running(kind, Polite, ends=ends) as server:
        client = connect(server)
        wait_until(lambda: server.table, "the request")
    with client:
        assert rest_of(client) == b"bye"

    assert ends == ["finally"]


@on_every_stream
def test_a_handler_that_writes_finds_itself_hung_up_on_when_the_server_stops(kind: Any) -> None:
    ends: list[str] = []
    gone: list[Any] = []
    with (
        running(
            kind, Writing, stop_timeout=HOUR, ends=ends, handle_disconnect=lambda *_: gone.append("disconnect")
        ) as server,
        connect(server),
    ):
        wait_until(lambda: server.table and server.table[0].doing == "writing", "a handler that writes")
        with ends_in_time():
            server.server_close()

    assert (ends, gone, server.errors) == (["finally"], ["disconnect"], [])


@pytest.mark.parametrize("stop", ["server_close", "shutdown"])
@on_every_stream
def test_a_handler_that_still_waits_gets_greenlet_exit(kind: Any, stop: str) -> None:
    ends: list[str] = []
    with running(kind, Elsewhere, stop_timeout=HOUR, ends=ends) as server, connect(server):
        wait_until(lambda: server.table and server.table[0].doing == "reading", "a handler that waits")
        with ends_in_time():
            getattr(server, stop)()

        assert ends == ["exit", "finally"]
        assert server.table == server.errors == []


def test_a_handler_that_swallows_its_end_and_then_ends_is_not_held_against_it() -> None:
    ends: list[str] = []

    class Slow(Elsewhere):
        def work(self) -> None:
            with contextlib.suppress(GreenletExit):
                super().work()
            assert self.request.recv(10) == b""

    with running(servers.SelectingTCPServer, Slow, ends=ends) as server, connect(server):
        wait_until(lambda: server.table and server.table[0].doing == "reading", "a handler that waits")
        server.server_close()

    assert ends == ["finally"]
    assert server.errors == []


@on_every_stream
def test_a_handler_that_will_not_end_is_named_and_loses_its_connection(kind: Any, tmp_path: Path) -> None:
    class Stubborn(servers.BaseRequestHandler):
        def handle(self) -> None:
            while not self.server.may_end:
                with contextlib.suppress(GreenletExit, OSError):
                    self.request.recv(10)

    thread: threading.Thread
    server = type("Server", (kind,), {"stop_timeout": 0.5, "may_end": False})(
        ("127.0.0.1", 0) if kind is servers.SelectingTCPServer else str(tmp_path / "socket"), Stubborn
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with connect(server) as client:
        wait_until(lambda: server.table, "the request")
        with ends_in_time(), pytest.raises(windsock.StillRunning, match="request from"):
            server.server_close()
        thread.join(DEADLINE)

        assert not thread.is_alive()
        assert rest_of(client) == b""
        assert [name.split()[0] for name in server.wait_for_requests(0)] == ["request"]


def test_a_stubborn_handler_of_a_server_in_a_test_is_named_too() -> None:
    class Stubborn(servers.BaseRequestHandler):
        def handle(self) -> None:
            while True:
                with contextlib.suppress(GreenletExit, OSError):
                    self.request.recv(10)

    server = windsock.serving(Stubborn, concurrency="selecting", timeout=0.5)
    with socket.create_connection(server.address, DEADLINE):
        wait_until(lambda: server.server.table, "the request")
        with ends_in_time(), pytest.raises(windsock.StillRunning, match="request from"):
            server.stop()


@on_every_stream
def test_a_handler_may_shut_its_server_down(kind: Any) -> None:
    class Last(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1)
            self.server.shutdown()
            self.request.sendall(b"last")

    with running(kind, Last) as server, connect(server) as other, connect(server) as client:
        client.sendall(b"x")

        assert rest_of(client) == b"last"
        assert rest_of(other) in (b"", b"last")


@on_every_stream
def test_a_handler_may_close_its_server_and_wait_for_the_others(kind: Any) -> None:
    order = []

    class Closer(servers.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(1) == b"c":
                self.server.server_close()
                order.append("closed")
            else:
                order.append("other")

    with running(kind, Closer) as server, connect(server), connect(server) as client:
        wait_until(lambda: len(server.table) == 2, "both requests")
        client.sendall(b"c")
        assert rest_of(client) == b""

    assert order == ["other", "closed"]


@on_every_stream
def test_a_server_can_serve_again_after_a_shutdown(kind: Any) -> None:
    with running(kind, UpperLines) as server:
        server.shutdown()
        again = threading.Thread(target=server.serve_forever)
        again.start()
        with connect(server) as client:
            client.sendall(b"again\n")
            assert read(client, 6) == b"AGAIN\n"
            server.shutdown()
            again.join(DEADLINE)


@on_every_stream
def test_end_requests_lets_the_handlers_see_the_end(kind: Any) -> None:
    with running(kind, UpperLines) as server, connect(server) as client:
        wait_until(lambda: server.table, "the request")
        server.end_requests(how=socket.SHUT_RD)

        assert rest_of(client) == b""
        assert server.wait_for_requests(DEADLINE) == []


@on_every_stream
def test_waiting_for_requests_ends_at_its_deadline_and_names_them(kind: Any) -> None:
    with running(kind, UpperLines) as server, connect(server):
        wait_until(lambda: server.table, "the request")

        assert [name.split()[0] for name in server.wait_for_requests(0.05)] == ["request"]


@pytest.mark.parametrize("kind", [*STREAMS, *DATAGRAMS])
def test_handle_request_sees_one_request_to_its_end(kind: Any, tmp_path: Path) -> None:
    is_stream = kind in STREAMS
    address = ("127.0.0.1", 0) if kind.address_family == socket.AF_INET else str(tmp_path / "socket")
    with kind(address, UpperLines if is_stream else Packet) as server, connect(server) as client:
        client.sendall(b"one\n")
        if is_stream:
            client.shutdown(socket.SHUT_WR)
        server.handle_request()

        assert client.recv(10) == b"ONE\n"
        assert server.table == []


def test_handle_request_waits_no_longer_than_its_timeout() -> None:
    class Impatient(servers.SelectingTCPServer):
        timeout = 0.01
        is_tired = False

        def handle_timeout(self) -> None:
            self.is_tired = True

    with Impatient(("127.0.0.1", 0), EchoBytes) as server:
        server.handle_request()

        assert server.is_tired


@on_every_stream
def test_a_handler_that_forks_leaves_the_connection_to_its_child(kind: Any) -> None:
    class Forking(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1)
            if os.fork() == 0:
                self.request.sendall(b"child waits")
                self.request.sendall(self.request.recv(10).upper())
                os._exit(0)

    with running(kind, Forking) as server, connect(server) as other, connect(server) as client:
        client.sendall(b"x")
        assert read(client, 11) == b"child waits"
        client.sendall(b"end")
        assert read(client, 3) == b"END"
        os.wait()

        assert rest_of(client) == b""
        assert len(server.table) == 1
        other.sendall(b"y")
        assert read(other, 11) == b"child waits"
        other.sendall(b"end")
        assert rest_of(other) == b"END"
        os.wait()


def test_a_request_that_did_not_fork_is_shut_down_though_another_did() -> None:
    class Mixed(servers.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(1) == b"f" and os.fork() == 0:
                self.request.sendall(b"forked")
                self.request.recv(1)
                os._exit(0)

    with running(servers.SelectingTCPServer, Mixed) as server, connect(server) as plain, connect(server) as forking:
        wait_until(lambda: len(server.table) == 2, "both requests")
        forking.sendall(b"f")
        assert read(forking, 6) == b"forked"
        plain.sendall(b"p")
        assert rest_of(plain) == b""  # although the child has inherited it
        forking.sendall(b"!")
        os.wait()


def test_a_server_is_down_and_up_again_in_an_outage() -> None:
    with windsock.serving(UpperLines, concurrency="selecting") as server:
        with socket.create_connection(server.address, DEADLINE) as client:
            client.sendall(b"before\n")
            assert read(client, 7) == b"BEFORE\n"
            with server.outage():
                assert rest_of(client) == b""
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(server.address, DEADLINE)
        with socket.create_connection(server.address, DEADLINE) as client:
            client.sendall(b"after\n")
            assert read(client, 6) == b"AFTER\n"


def test_two_threads_may_serve_the_same_server() -> None:
    with running(servers.SelectingTCPServer, UpperLines) as server:
        second = threading.Thread(target=server.serve_forever)
        second.start()
        wait_until(lambda: len(server._hubs) == 2, "both loops: shutdown() ends those that there are")
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect(server)) for _ in range(20)]
            for client in clients:
                client.sendall(b"x\n")
            assert [read(client, 2) for client in clients] == [b"X\n"] * 20
        server.shutdown()
        second.join(DEADLINE)


def test_an_interrupt_ends_the_loop_and_all_requests() -> None:
    ends: list[str] = []

    class Interrupted(Ending):
        def work(self) -> None:
            if self.request.recv(1) == b"!":
                signal.raise_signal(signal.SIGINT)

    kind = type("Server", (servers.SelectingTCPServer,), {"ends": ends})
    with kind(("127.0.0.1", 0), Interrupted) as server, connect(server) as first, connect(server) as second:
        first.sendall(b"?")
        second.sendall(b"!")
        with pytest.raises(KeyboardInterrupt):
            server.serve_forever()

        assert server.table == []
        assert rest_of(second) == b""
    assert ends == ["finally"] * 2


def test_a_server_whose_get_request_waits_itself_works() -> None:
    class FromQueue(servers.SelectingMixIn, servers.BaseServer):
        def get_request(self) -> tuple[Any, Any]:
            here, there = socket.socketpair()
            with there:
                there.sendall(b"hello")
            if self.served:
                self.request_stop()
            return here, "somebody"

        def close_request(self, request: Any) -> None:
            request.close()

        served: list[bytes] = []  # noqa: RUF012  # one server, one test

    class Reads(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.server.served.append(self.request.recv(10))

    with FromQueue("nowhere", Reads) as server:
        server.serve_forever()

    assert set(server.served) == {b"hello"}


def test_a_class_with_another_loop_is_refused() -> None:
    with pytest.raises(windsock.UsageError, match=r"class Mine: SelectingMixIn needs a server of windsock\.servers"):

        class Mine(servers.SelectingMixIn, socketserver.TCPServer):
            pass


def test_without_greenlet_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "greenlet", None)

    with pytest.raises(windsock.UsageError, match="pip install greenlet"):
        servers.SelectingTCPServer(("127.0.0.1", 0), UpperLines)
    with pytest.raises(windsock.UsageError, match="pip install greenlet"):
        windsock.serving(UpperLines, concurrency="selecting")


def test_greenlet_is_not_imported_before_it_is_needed() -> None:
    script = "import windsock, windsock.servers, sys; print('greenlet' in sys.modules)"

    assert run_python(script) == "False\n"


def test_an_async_handler_is_refused_before_the_server_starts() -> None:
    class Async(servers.BaseRequestHandler):
        async def handle(self) -> None:
            pass

    with pytest.raises(windsock.UsageError, match="async"):
        windsock.serving(Async, concurrency="selecting")


def test_the_interpreter_can_end_while_a_daemon_thread_serves() -> None:
    script = """
import socket, threading, time
from windsock import servers

class Echo(servers.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(100):
            self.request.sendall(data)
            time.sleep(0.001)

server = servers.SelectingTCPServer(("127.0.0.1", 0), Echo)
threading.Thread(target=server.serve_forever, daemon=True).start()
answered = threading.Event()

def ask():
    with socket.create_connection(server.server_address) as client:
        try:
            while True:
                client.sendall(b"x")
                client.recv(1)
                answered.set()
        except OSError:
            pass

for _ in range(3):
    threading.Thread(target=ask, daemon=True).start()
answered.wait(10)
"""
    run_python(script)
