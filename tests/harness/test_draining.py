"""What a drain waits for, and what it does not wait for: nothing here could end within the timeouts, which are long."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from time import sleep
from typing import Any

import pytest
import trio

import windsock
from tests.support.processes import ended_well, forked
from tests.support.servers import (
    DATAGRAMS,
    Signal,
    connect,
    on_every_datagram_kind,
    on_every_kind,
    on_every_stream_kind,
    rest_of,
)
from tests.support.waiting import DEADLINE
from windsock import RunningServer, Script
from windsock.faults import AcceptDelay, Blackhole, Delay, Hold, MaxConnections, Stall
from windsock.recording.waiters import Waiters
from windsock.servers import (
    BaseRequestHandler,
    DatagramRequestHandler,
    ForkingTCPServer,
    ForkingUnixStreamServer,
    StreamRequestHandler,
    UDPServer,
)

LONG = 3600.0
"""Seconds: no test waits for that."""
HELD = {"Hold": Hold(), "Blackhole": Blackhole(), "Delay": Delay(2 * LONG), "Stall": Stall()}
each_fault_that_keeps = pytest.mark.parametrize("fault", HELD.values(), ids=HELD)


class Reads(StreamRequestHandler):
    """Reads lines to the end."""

    def handle(self) -> None:
        self.received = self.rfile.readlines()


@pytest.fixture
def long() -> Iterator[Any]:
    """Give a factory of servers with a long timeout, which are stopped without a drain."""
    started: list[RunningServer] = []

    def serve(*what: Any, **options: Any) -> RunningServer:
        started.append(windsock.serving(*what, timeout=LONG, **options))
        return started[-1]

    try:
        yield serve
    finally:
        for each in started:
            each.stop()


# --- what it waits for


def test_it_may_be_called_at_any_time_and_again() -> None:
    with windsock.serving(Reads) as server:
        server.drain()
        with connect(server) as client:
            client.sendall(b"one\n")
            server.drain()
            client.sendall(b"two\n")
        server.drain()
        server.drain()
        found = [each.data for each in server.requests]
    server.drain()

    assert found == [b"one\ntwo\n"]


@on_every_stream_kind
def test_what_a_client_has_sent_that_stays_is_recorded_at_the_end(transport: str, concurrency: str) -> None:
    server = windsock.serving(Reads, transport=transport, concurrency=concurrency)

    with connect(server) as client:
        client.sendall(b"hello\n")
        server.finish()

    assert [each.data for each in server.requests] == [b"hello\n"]
    assert [each.ending for each in server.connections] == ["stopped"]


@on_every_stream_kind
def test_all_clients_that_wait_in_the_queue_are_served(transport: str, concurrency: str) -> None:
    with windsock.serving(Reads, transport=transport, concurrency=concurrency) as server:
        for number in range(20):
            with connect(server) as client:
                client.sendall(b"%d\n" % number)

    assert sorted(int(each.data) for each in server.requests) == list(range(20))


@on_every_datagram_kind
def test_all_datagrams_that_wait_in_the_queue_are_handled(transport: str, concurrency: str) -> None:
    serving = windsock.serving(BaseRequestHandler, transport=transport, concurrency=concurrency)
    with serving as server, connect(server) as client:
        for number in range(20):
            client.sendall(b"%d" % number)

    assert sorted(int(each.data) for each in server.requests) == list(range(20))
    assert all(each.closed for each in server.connections)


def test_a_fake_gives_the_answers_that_take_their_time_within_the_bound() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"log").reply(b"", delay=0.05, times=3)
        with connect(server) as client:
            client.sendall(b"log\n" * 3)

    assert len(server.requests) == 3


def test_a_proxy_delivers_bytes_and_the_end_before_it_stops() -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        with windsock.proxy(upstream.getsockname()) as proxy, socket.create_connection(proxy.address) as client:
            proxy.fault(Delay(0.02))
            client.sendall(b"x" * 100_000)
            client.shutdown(socket.SHUT_WR)
            proxy.drain()
            accepted, _ = upstream.accept()
        with accepted:
            assert rest_of(accepted) == b"x" * 100_000


def test_one_proxy_behind_another_delivers_too() -> None:
    late = [Delay(0.02)]
    with (
        windsock.serving(Reads) as server,
        windsock.proxy(server.address, faults=late) as inner,
        windsock.proxy(inner.address, faults=late) as outer,
        socket.create_connection(outer.address) as client,
    ):
        client.sendall(b"hello\n")

    assert [each.data for each in server.requests] == [b"hello\n"]


def test_what_the_faults_of_a_client_hold_arrives() -> None:
    with windsock.serving(Reads) as server:
        client = server.connect(faults=[Delay(0.05)])
        client.send(b"hello\n")

    assert [each.data for each in server.requests] == [b"hello\n"]


# --- who is to blame


class FailsAtTheEnd(BaseRequestHandler):
    """Reads to the end, and raises then."""

    def handle(self) -> None:
        while self.request.recv(100):
            pass
        raise ValueError("the end")


@on_every_stream_kind
def test_a_handler_is_to_blame_for_what_it_makes_of_the_end_of_a_client_that_has_left(
    transport: str, concurrency: str
) -> None:
    server = windsock.serving(FailsAtTheEnd, transport=transport, concurrency=concurrency)
    with connect(server) as client:
        client.sendall(b"x")

    with pytest.raises(ExceptionGroup) as found:
        server.finish()

    assert [str(each) for each in found.value.exceptions] == ["the end"]


@on_every_stream_kind
def test_a_handler_is_not_to_blame_for_what_it_makes_of_the_end_of_the_test(transport: str, concurrency: str) -> None:
    with windsock.serving(FailsAtTheEnd, transport=transport, concurrency=concurrency) as server:
        client = server.connect()
        client.send(b"x")


# --- what it does not wait for


@on_every_stream_kind
def test_a_silent_client_costs_nothing(long: Any, transport: str, concurrency: str) -> None:
    server = long(Reads, transport=transport, concurrency=concurrency)

    with connect(server) as client:
        server.drain()
        client.sendall(b"hello\n")
        server.drain()


@each_fault_that_keeps
@on_every_kind
def test_what_a_fault_keeps_on_purpose_is_not_waited_for(
    long: Any, transport: str, concurrency: str, fault: windsock.faults.Fault
) -> None:
    is_datagram = transport in DATAGRAMS
    if is_datagram and isinstance(fault, Stall):
        pytest.skip("datagrams do not stall")
    server = long(BaseRequestHandler if is_datagram else Reads, transport=transport, concurrency=concurrency)
    server.fault(fault, direction="upstream")

    with connect(server) as client:
        client.sendall(b"hello\n")
    server.drain()

    assert not server.requests


@each_fault_that_keeps
def test_what_a_fault_of_a_proxy_keeps_on_purpose_is_not_waited_for(long: Any, fault: windsock.faults.Fault) -> None:
    server = long(Reads)

    with windsock.proxy(server.address, timeout=LONG, faults=[(fault, {"direction": "upstream"})]) as proxy:
        with socket.create_connection(proxy.address) as client:
            client.sendall(b"hello\n")
            proxy.drain()
        proxy.drain()


def test_what_comes_to_a_proxy_whose_line_is_cut_is_not_waited_for(long: Any) -> None:
    server = long(Reads)

    with windsock.proxy(server.address, timeout=LONG) as proxy:
        proxy.disconnect()
        with socket.create_connection(proxy.address) as client:
            client.sendall(b"hello\n")
        proxy.drain()


@pytest.mark.parametrize("fault", [AcceptDelay(2 * LONG), MaxConnections(0, then="stall")], ids=repr)
def test_a_client_that_a_fault_keeps_from_being_accepted_is_not_waited_for(
    long: Any, fault: windsock.faults.Fault
) -> None:
    server = long(Reads)
    server.fault(fault)

    with connect(server) as client, windsock.proxy(server.address, timeout=LONG, faults=[fault]) as proxy:
        client.sendall(b"hello\n")
        with socket.create_connection(proxy.address):
            proxy.drain()
        server.drain()


@on_every_kind
def test_a_pause_of_a_script_is_not_waited_for(
    transport: str, concurrency: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_until = Waiters.wait_until
    waits: list[bool] = []

    def wait(waiters: Waiters, is_enough: Callable[[], bool], seconds: float) -> bool:
        waits.append(wait_until(waiters, is_enough, seconds))
        return waits[-1]

    server = windsock.serving(transport=transport, concurrency=concurrency, allow_unused=True, timeout=10)
    try:
        server.play(Script().expect(b"hello").pause(20))  # longer than a drain may take, shorter than the test
        with connect(server) as client:
            client.sendall(b"hello")
            client.sendall(b"more")
        monkeypatch.setattr(Waiters, "wait_until", wait)
        server.drain()

        assert waits.count(False) < 20  # of 200 looks in 10 seconds
        assert list(server.errors) == []
    finally:
        server.stop()


def test_a_client_behind_a_silent_one_of_a_server_that_takes_one_at_a_time_is_not_waited_for_for_long(
    long: Any,
) -> None:
    server = long(Reads, concurrency="sync")

    with connect(server) as first, connect(server) as second:
        first.sendall(b"one\n")
        second.sendall(b"two\n")
        server.drain()

        assert len(server.connections) == 1


def test_datagrams_that_nobody_handles_are_not_waited_for(long: Any) -> None:
    class Picky(UDPServer):
        def verify_request(self, request: Any, client_address: Any) -> bool:
            return bool(request[0] != b"no")

        def process_request(self, request: Any, client_address: Any) -> None:
            if request[0] == b"fails":
                raise RuntimeError(request[0])
            super().process_request(request, client_address)

    server = long(Picky, BaseRequestHandler)
    with connect(server) as client:
        for each in (b"no", b"fails", b"yes"):
            client.sendall(each)
    server.drain()

    assert len(server.requests) == 3
    assert [each.is_closed for each in server.connections] == [True] * 3
    assert [str(each) for each in server.errors] == ["b'fails'"]


def test_a_handler_that_does_not_end_is_waited_for_once(long: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sleeps(BaseRequestHandler):
        async def handle(self) -> None:
            await trio.sleep_forever()

    server = long(Sleeps, concurrency="trio")
    connect(server).close()
    server.drain()
    wait_until = Waiters.wait_until
    waits: list[bool] = []

    def wait(waiters: Waiters, is_enough: Callable[[], bool], seconds: float) -> bool:
        waits.append(wait_until(waiters, is_enough, seconds))
        return waits[-1]

    monkeypatch.setattr(Waiters, "wait_until", wait)
    server.drain()

    assert waits == []  # neither for the queue nor for handlers


@pytest.mark.parametrize("concurrency", ["sync", "threading", "selecting"])
@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
def test_a_handler_that_has_returned_is_not_waited_for_though_a_file_of_its_is_open(
    long: Any, transport: str, concurrency: str
) -> None:
    files = []

    def handler(request: Any, client_address: Any, server: Any) -> None:
        files.append(request.makefile("rb"))

    server = long(handler, transport=transport, concurrency=concurrency)
    with connect(server) as client:
        client.sendall(b"hello\n")
    server.drain()  # would take an hour, or what is left of the test's time

    assert len(files) == 1
    files[0].close()


def test_in_a_forked_child_it_does_nothing(long: Any) -> None:
    server = long(Reads)
    with windsock.proxy(server.address, timeout=LONG) as proxy, socket.create_connection(proxy.address) as client:
        client.sendall(b"hello\n")

        def drain() -> None:
            proxy.drain()
            server.drain()

        assert ended_well(forked(drain))


@pytest.mark.parametrize("server_class", [ForkingTCPServer, ForkingUnixStreamServer])
@pytest.mark.parametrize("part", ["before the exit", "after it"])
def test_it_waits_until_the_death_of_a_handlers_process_is_noted(
    long: Any, server_class: type[ForkingTCPServer], part: str
) -> None:
    class Late(server_class):  # type: ignore[misc, valid-type]
        def child_exited(self, pid: int, exit_code: int) -> None:
            sleep(0.05 * (part == "after it"))
            super().child_exited(pid, exit_code)

        def service_actions(self) -> None:
            sleep(0.05 * (part == "before the exit"))
            super().service_actions()

    class Dies(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(100)
            os.kill(os.getpid(), signal.SIGKILL)

    server = long(Late, Dies)
    with connect(server) as client:
        client.sendall(b"hello")
        with contextlib.suppress(ConnectionResetError):  # it has read all, but the kernel may differ
            assert client.recv(100) == b""
        server.drain()

        assert [type(each) for each in server.errors] == [windsock.HandlerDied]
        assert server.connections[0].is_closed


# --- the socket of a datagram server


@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relayed"])
@on_every_datagram_kind
def test_a_datagram_handler_that_is_at_work_when_the_server_stops_can_still_reply(
    transport: str, concurrency: str, relay: bool
) -> None:
    begun, stopping = Signal(), Signal()

    class Late(DatagramRequestHandler):
        def handle(self) -> None:
            begun.set()
            stopping.wait()
            for _ in range(20):  # as long as a server takes to close its socket
                if self.server.socket.fileno() >= 0:
                    sleep(0.01)
            self.wfile.write(b"late")

    server = windsock.serving(Late, transport=transport, concurrency=concurrency, relay=relay)
    with connect(server) as client:
        client.sendall(b"x")
        begun.wait()
        request_stop = server.server.request_stop

        def stop() -> None:
            stopping.set()
            request_stop()

        server.server.request_stop = stop
        server.stop()

        assert client.recv(100) == b"late"
    assert not server.errors
    begun.close()
    stopping.close()


def test_clients_that_wait_behind_a_silent_one_are_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windsock.harness.draining.GRACE", 0.1)
    with windsock.serving(concurrency="sync", timeout=1000).echo() as server, server.connect(), server.connect():
        server.drain()
        monkeypatch.setattr("windsock.harness.draining.GRACE", 1000)

        again = threading.Thread(target=server.drain)
        again.start()
        again.join(DEADLINE)

        assert not again.is_alive()


# --- what comes after it


def stuck_server(released: threading.Event, timeout: float, **options: Any) -> RunningServer:
    """Return a server with a client that has left, and a handler that does not end."""
    server = windsock.serving(lambda request, *_: released.wait(DEADLINE), timeout=timeout, strict=False, **options)
    with connect(server) as client:
        client.sendall(b"x")
    return server


def test_a_stop_does_not_wait_again_as_long_for_a_handler_that_was_waited_for() -> None:
    released = threading.Event()
    server = stuck_server(released, 1.5)
    try:
        with pytest.raises(windsock.StillRunning, match=r"did not end within 1.5 s, still running: thread"):
            server.finish()

        assert server.server.stop_timeout <= 1.0
    finally:
        released.set()


def test_a_stop_has_its_whole_time_if_the_handler_has_ended_since() -> None:
    released = threading.Event()
    server = stuck_server(released, 1.5)
    server.drain()
    released.set()
    server.connections.wait(1)

    server.stop()

    assert server.server.stop_timeout > 1.0
