"""Stopping: at any time, from anywhere, at once, and within a deadline."""

from __future__ import annotations

import signal
import socket
import threading
from typing import Any

import pytest

from tests.servers.helpers import (
    DATAGRAM,
    IN_ONE_PROCESS,
    STREAM,
    TCP,
    Notes,
    Place,
    ask,
    each,
    has_ended,
    join,
    poke,
    wait_until_serving,
)
from tests.support.handlers import EchoLines
from tests.support.servers import Signal, rest_of
from tests.support.waiting import DEADLINE, HOUR, ends_in_time, wait_until
from windsock import servers
from windsock.errors import StillRunning, WaitTimeout


def serve(server: Any) -> threading.Thread:
    """Serve in a thread, in a loop that would hang for an hour if it polled."""
    thread = threading.Thread(target=server.serve_forever, args=(HOUR,), name="serving", daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("stop", ["shutdown", "server_close"])
@pytest.mark.parametrize("has_answered", [False, True])
@each(STREAM + DATAGRAM)
def test_a_stop_while_serving_ends_the_loop_at_once(place: Place, kind: Any, has_answered: bool, stop: str) -> None:
    server = place.make(kind, stop_timeout=HOUR)
    thread = serve(server)
    wait_until_serving(server)
    if has_answered:
        with place.connect(server) as client:
            assert ask(client) == b"hello\n"

    with ends_in_time():
        getattr(server, stop)()
        join(thread)
    assert place.notes.read_all() == []


@each(STREAM + DATAGRAM)
def test_shutdown_before_serve_forever_is_remembered_once(place: Place, kind: Any) -> None:
    server = place.make(kind)
    with ends_in_time():
        server.shutdown()
        server.serve_forever(HOUR)

    place.serve(server)
    assert ask(place.connect(server)) == b"hello\n"


@each(STREAM + DATAGRAM)
def test_shutdown_after_serve_forever_means_nothing_to_the_next(place: Place, kind: Any) -> None:
    server = place.make(kind)
    thread = serve(server)
    wait_until_serving(server)
    server.shutdown()
    join(thread)

    server.shutdown()

    place.serve(server)
    assert ask(place.connect(server)) == b"hello\n"


@each(STREAM + DATAGRAM)
def test_shutdown_and_server_close_twice_are_as_good_as_once(place: Place, kind: Any) -> None:
    server = place.make(kind)
    thread = serve(server)

    for _ in range(2):
        server.shutdown()
    join(thread)
    for _ in range(2):
        server.server_close()
        server.shutdown()

    assert server.fileno() == -1


class ShutsDown(servers.BaseRequestHandler):
    def handle(self) -> None:
        self.server.shutdown()
        self.server.notes.write("shut down")


@each(STREAM + DATAGRAM)
def test_a_handler_can_shut_its_server_down(place: Place, kind: Any) -> None:
    server = place.make(kind, ShutsDown)
    thread = serve(server)
    poke(place.connect(server))

    with ends_in_time():
        join(thread)
    assert place.notes.read() == "shut down"
    server.server_close()
    assert place.notes.read_all() == []


@each(IN_ONE_PROCESS)
def test_a_handler_can_close_its_server(place: Place, kind: Any) -> None:
    class Closes(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.server.server_close()
            self.server.notes.write("closed")

    server = place.make(kind, Closes, stop_timeout=HOUR)
    thread = serve(server)
    poke(place.connect(server))

    with ends_in_time():
        join(thread)
    assert place.notes.read() == "closed"
    server.server_close()
    assert place.notes.read_all() == []


@each(STREAM + DATAGRAM)
def test_a_signal_handler_can_shut_the_server_down(place: Place, kind: Any) -> None:
    server = place.make(kind)
    before = signal.signal(signal.SIGUSR1, lambda *_: server.shutdown())
    main = threading.get_ident()

    def interrupt() -> None:
        wait_until_serving(server)
        signal.pthread_kill(main, signal.SIGUSR1)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with ends_in_time():
            server.serve_forever(HOUR)
    finally:
        join(thread)
        signal.signal(signal.SIGUSR1, before)


@each([servers.TCPServer, servers.UnixStreamServer])
def test_no_request_is_taken_after_shutdown(place: Place, kind: Any) -> None:
    class ShutsDownAndAnswers(EchoLines):
        def handle(self) -> None:
            self.server.shutdown()
            super().handle()

    server = place.make(kind, ShutsDownAndAnswers)
    first, second = place.connect(server), place.connect(server)
    for client in (first, second):
        client.sendall(b"hello\n")
        client.shutdown(socket.SHUT_WR)

    server.serve_forever()
    assert rest_of(first) == b"hello\n"
    second.setblocking(False)
    with pytest.raises(BlockingIOError):
        second.recv(1)
    server.serve_forever()
    second.settimeout(DEADLINE)
    assert rest_of(second) == b"hello\n"


@each(STREAM + DATAGRAM)
def test_a_listener_closed_by_others_ends_the_loop_and_does_not_spin(place: Place, kind: Any) -> None:
    server = place.make(kind, service_actions=lambda self: None)
    thread = threading.Thread(target=server.serve_forever, args=(0.001,), name="serving", daemon=True)
    thread.start()
    wait_until_serving(server)

    server.socket.close()

    join(thread)
    assert len(place.notes.read_all()) <= 1


@each(STREAM)
def test_server_close_ends_the_connections_of_idle_clients(place: Place, kind: Any) -> None:
    server = place.start(kind, stop_timeout=HOUR)
    client = place.connect(server)
    assert ask(client) == b"hello\n"

    with ends_in_time():
        server.server_close()
    assert rest_of(client) == b""
    assert place.notes.read_all() == []


@each(STREAM)
def test_server_close_lets_a_handler_answer_that_sees_the_end(place: Place, kind: Any) -> None:
    class SaysGoodbye(EchoLines):
        def handle(self) -> None:
            super().handle()
            self.wfile.write(b"goodbye\n")

    server = place.start(kind, SaysGoodbye)
    client = place.connect(server)
    assert ask(client) == b"hello\n"
    server.server_close()

    assert rest_of(client) == b"goodbye\n"


@each(STREAM)
def test_server_close_hangs_up_on_a_client_that_takes_nothing(place: Place, kind: Any) -> None:
    class WritesForEver(servers.StreamRequestHandler):
        def handle(self) -> None:
            while True:
                self.wfile.write(bytes(100_000))

    server = place.start(kind, WritesForEver, stop_timeout=0.6)
    client = place.connect(server)
    assert client.recv(1) == b"\0"

    with ends_in_time():
        server.server_close()
    assert place.notes.read() == "disconnect"


@each(STREAM)
def test_server_close_ends_a_request_that_is_just_coming_in(place: Place, kind: Any) -> None:
    told_the_others = threading.Event()

    class IsSlow:
        notes: Notes

        def get_request(self) -> Any:
            request = super().get_request()  # type: ignore[misc]
            self.notes.write("got")
            assert told_the_others.wait(DEADLINE)
            return request

        def end_requests(self, **how: Any) -> None:
            super().end_requests(**how)  # type: ignore[misc]
            told_the_others.set()

    server = place.start(kind, None, IsSlow, stop_timeout=HOUR)
    client = place.connect(server)
    assert place.notes.read() == "got"

    with ends_in_time():
        server.server_close()
    assert rest_of(client) == b""
    assert place.notes.read_all() == []


class Stuck(servers.BaseRequestHandler):
    """Cannot be ended by its client's end, only by the test."""

    until: Any = None

    def handle(self) -> None:
        self.server.notes.write("stuck")
        self.until.wait()


@each(STREAM + DATAGRAM)
def test_the_deadline_of_server_close_names_what_is_still_running(
    place: Place, signals: list[Signal], kind: Any
) -> None:
    server = place.make(kind, type("Stuck", (Stuck,), {"until": signals[0]}), stop_timeout=0.1)
    thread = serve(server)
    poke(place.connect(server))
    assert place.notes.read() == "stuck"

    with ends_in_time(), pytest.raises(StillRunning) as caught:
        server.server_close()

    error = caught.value
    assert isinstance(error, WaitTimeout)
    assert (error.waited_for, error.seconds) == ("server_close(): requests in progress", 0.1)
    if issubclass(kind, servers.ThreadingMixIn):
        assert [what.startswith(f"thread '{kind.__name__} ") for what in error.what] == [True]
    elif issubclass(kind, servers.ForkingMixIn):
        assert [what.startswith("process ") for what in error.what] == [True]
    elif issubclass(kind, servers.TrioMixIn):
        assert [what.startswith("task 'Stuck ") for what in error.what] == [True]
    elif kind in STREAM:
        assert [what.startswith("request from ") for what in error.what] == [True]
    assert all(what in str(error) for what in error.what)
    assert server.fileno() == -1
    signals[0].set()
    join(thread)
    server.server_close()


def test_the_deadline_of_shutdown_names_whose_request_holds_the_loop(place: Place, signals: list[Signal]) -> None:
    server = place.make(servers.TCPServer, type("Stuck", (Stuck,), {"until": signals[0]}), stop_timeout=0.05)
    thread = serve(server)
    client = place.connect(server)
    assert place.notes.read() == "stuck"

    host, port = client.getsockname()
    with pytest.raises(StillRunning, match=rf"serve_forever\(\) did not end within 0.05 s.*request from {host}:{port}"):
        server.shutdown()

    signals[0].set()
    join(thread)


@each([kind for kind in STREAM if issubclass(kind, (servers.ThreadingMixIn, servers.ForkingMixIn))])
def test_without_block_on_close_requests_in_progress_go_on(place: Place, kind: Any) -> None:
    server = place.start(kind, block_on_close=False)
    client = place.connect(server)
    assert ask(client) == b"hello\n"

    server.server_close()

    assert server.fileno() == -1
    assert ask(client, b"still there?\n") == b"still there?\n"
    client.close()
    assert server.wait_for_requests(DEADLINE) == []


@each(STREAM + DATAGRAM)
def test_a_with_block_closes_the_server(place: Place, kind: Any) -> None:
    with place.make(kind) as server:
        assert server.fileno() >= 0

    assert server.fileno() == -1


@each(TCP)
def test_serving_on_a_closed_server_fails_and_leaves_no_descriptor(place: Place, kind: Any) -> None:
    server = place.make(kind)
    thread = serve(server)
    server.shutdown()
    join(thread)
    server.server_close()

    with pytest.raises(ValueError, match="-1"):
        server.serve_forever()


@each(TCP)
def test_a_server_can_be_closed_before_its_thread_has_begun_to_serve(place: Place, kind: Any) -> None:
    server = place.make(kind)
    server.server_close()

    join(serve(server))


@each(STREAM + DATAGRAM)
def test_a_server_that_was_prepared_serves_and_stops_as_any_other(place: Place, kind: Any) -> None:
    server = place.make(kind)
    for _ in range(2):
        server.prepare_to_serve()
    thread = serve(server)
    with place.connect(server) as client:
        assert ask(client) == b"hello\n"
    server.shutdown()
    join(thread)

    server.prepare_to_serve()
    server.shutdown()
    with ends_in_time():
        server.serve_forever(HOUR)

    server.prepare_to_serve()
    server.server_close()
    server.serve_forever(HOUR)


@each([servers.TCPServer])
def test_a_shutdown_before_a_server_is_prepared_is_remembered_too(place: Place, kind: Any) -> None:
    server = place.make(kind)
    server.shutdown()
    server.prepare_to_serve()

    with ends_in_time():
        server.serve_forever(HOUR)


@pytest.mark.parametrize("where", ["class", "instance"])
@each(STREAM + DATAGRAM)
def test_service_actions_of_a_subclass_are_called_at_the_poll_interval(place: Place, kind: Any, where: str) -> None:
    called: list[int] = []
    enough = threading.Event()

    def act(*_: object) -> None:
        called.append(1)
        if len(called) >= 3:
            enough.set()

    server = place.make(kind, **({"service_actions": act} if where == "class" else {}))
    if where == "instance":
        server.service_actions = act
    thread = threading.Thread(target=server.serve_forever, args=(0.001,), daemon=True)
    thread.start()

    assert enough.wait(DEADLINE)
    server.shutdown()
    join(thread)


@each([servers.TCPServer, servers.UDPServer])
def test_an_idle_loop_is_not_woken(place: Place, kind: Any) -> None:
    waits: list[float | None] = []
    server = place.make(kind)
    control = server._control

    class Watched(servers.BaseRequestHandler):
        def handle(self) -> None:
            loop = control.here()
            wait = loop.wait

            def watched(interval: float | None) -> bool:
                waits.append(interval)
                return bool(wait(interval))

            loop.wait = watched

    server.RequestHandlerClass = Watched
    thread = serve(server)
    client = poke(place.connect(server))
    if kind is servers.TCPServer:
        assert has_ended(client)
    poke(place.connect(server))
    wait_until(lambda: len(waits) >= 2, "the second request")
    server.shutdown()
    join(thread)

    assert set(waits) == {None}


@each(TCP)
def test_a_server_that_closed_first_can_restart_on_its_port(place: Place, kind: Any) -> None:
    server = place.start(kind, allow_reuse_address=True)
    client = place.connect(server)
    assert ask(client) == b"hello\n"
    server.server_close()
    assert rest_of(client) == b""
    client.close()

    again = place.start(kind, address=server.server_address, allow_reuse_address=True)

    assert ask(place.connect(again)) == b"hello\n"
