"""ThreadingMixIn: every thread is known from its start to its end."""

from __future__ import annotations

import gc
import socket
import threading
import weakref
from time import sleep
from typing import Any

import pytest

from tests.servers.helpers import STREAM, Place, ask, each, has_ended, join, wait_until_serving
from tests.support.handlers import EchoLines
from tests.support.servers import rest_of
from tests.support.waiting import DEADLINE, wait_until
from windsock import servers
from windsock.net import addresses
from windsock.servers import threads

THREADING: list[Any] = [servers.ThreadingTCPServer, servers.ThreadingUnixStreamServer]


@each(THREADING)
def test_each_request_has_a_thread_that_is_named_after_its_client(place: Place, kind: Any) -> None:
    class SaysItsName(servers.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(threading.current_thread().name.encode())

    client = place.connect(place.start(kind, SaysItsName))

    name = rest_of(client).decode()
    client_address = addresses.show(client.getsockname())
    assert name == f"{kind.__name__} {client_address}"


@each(THREADING)
def test_a_slow_client_keeps_nobody_waiting(place: Place, kind: Any) -> None:
    server = place.start(kind)
    slow, fast = place.connect(server), place.connect(server)
    slow.sendall(b"hel")

    assert ask(fast) == b"hello\n"
    slow.sendall(b"lo\n")
    assert slow.recv(100) == b"hello\n"


@each(THREADING)
def test_a_thread_that_cannot_start_goes_to_handle_error_and_closes_its_request(
    place: Place, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = place.start(kind)
    start = threading.Thread.start

    def fail_once(thread: threading.Thread) -> None:
        monkeypatch.setattr(threading.Thread, "start", start)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail_once)

    assert has_ended(place.connect(server))
    assert place.notes.read() == "error RuntimeError"
    assert ask(place.connect(server)) == b"hello\n"
    server.server_close()


@each(THREADING)
def test_threads_that_have_ended_are_forgotten(place: Place, kind: Any) -> None:
    seen: list[weakref.ref[threading.Thread]] = []

    class Remembers(servers.BaseRequestHandler):
        def handle(self) -> None:
            seen.append(weakref.ref(threading.current_thread()))

    server = place.start(kind, Remembers)

    def one_more() -> None:
        with place.connect(server) as client:
            assert has_ended(client)

    def count_after_one_more() -> int:
        one_more()
        gc.collect()
        return len([thread for thread in seen if thread() is not None])

    for _ in range(60):
        one_more()
    wait_until(lambda: count_after_one_more() <= threads.MANY + 3, "all but the latest to be forgotten")


@each(THREADING)
@pytest.mark.parametrize("daemon", [False, True])
def test_daemon_threads_says_what_the_threads_are(place: Place, kind: Any, daemon: bool) -> None:
    class SaysWhatItIs(servers.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"daemon" if threading.current_thread().daemon else b"no daemon")

    server = place.start(kind, SaysWhatItIs, daemon_threads=daemon)

    assert rest_of(place.connect(server)) == (b"daemon" if daemon else b"no daemon")
    assert server.wait_for_requests(DEADLINE) == []


class Waits(servers.BaseRequestHandler):
    """Ends when the test says so."""

    go: threading.Event

    def handle(self) -> None:
        self.server.notes.write("waits")
        assert self.go.wait(DEADLINE)


@each(THREADING)
def test_daemon_threads_can_be_waited_for_too(place: Place, kind: Any) -> None:
    go = threading.Event()
    server = place.start(kind, type("Waits", (Waits,), {"go": go}), daemon_threads=True)
    place.connect(server)
    assert place.notes.read() == "waits"

    server.server_close()

    assert [name.startswith(f"thread '{kind.__name__} ") for name in server.wait_for_requests(0.01)] == [True]
    assert server.wait_for_requests(0.01, daemons=False) == []
    go.set()
    assert server.wait_for_requests(DEADLINE) == []


@each(THREADING)
def test_max_threads_limits_the_requests_in_progress(place: Place, kind: Any) -> None:
    server = place.start(kind, max_threads=2)
    first, second, third = (place.connect(server) for _ in range(3))
    assert ask(first) == ask(second) == b"hello\n"
    third.sendall(b"hello\n")
    third.settimeout(0.1)
    with pytest.raises(TimeoutError):
        third.recv(100)

    first.close()

    third.settimeout(DEADLINE)
    assert third.recv(100) == b"hello\n"


@each(THREADING)
def test_a_server_at_its_max_threads_can_be_shut_down(place: Place, kind: Any) -> None:
    server = place.make(kind, max_threads=1)
    thread = place.serve(server)
    first = place.connect(server)
    assert ask(first) == b"hello\n"
    second = place.connect(server)
    wait_until(lambda: len(server._open_requests.clients()) == 2, "the second to be accepted")

    server.shutdown()
    join(thread)

    assert has_ended(second)
    assert place.notes.read() == "error RuntimeError"
    assert ask(first) == b"hello\n"


@each([servers.ThreadingTCPServer, servers.ThreadingUDPServer, servers.TCPServer, servers.ForkingTCPServer])
def test_several_threads_may_serve_one_server(place: Place, kind: Any) -> None:
    server = place.make(kind, request_queue_size=128)
    threads = [place.serve(server) for _ in range(4)]
    wait_until_serving(server, threads=4)

    for _ in range(20):
        with place.connect(server) as client:
            assert ask(client) == b"hello\n"

    server.shutdown()
    for thread in threads:
        join(thread)
    assert place.notes.read_all() == []


@each([servers.ThreadingTCPServer, servers.ThreadingUDPServer])
def test_one_request_brings_one_of_several_threads_to_get_it(place: Place, kind: Any) -> None:
    second = threading.Event()
    entered: list[str] = []

    class Lingers:
        def get_request(self) -> Any:
            entered.append(threading.current_thread().name)
            if len(entered) > 1:
                second.set()
            second.wait(0.1)  # so that the other thread sees the same request come
            return super().get_request()  # type: ignore[misc]

    server = place.make(kind, None, Lingers)
    for _ in range(2):
        place.serve(server)
    wait_until_serving(server, threads=2)

    assert ask(place.connect(server)) == b"hello\n"
    assert len(entered) == 1


@each(THREADING)
def test_a_handler_can_close_its_server_while_others_run(place: Place, kind: Any) -> None:
    class Closes(EchoLines):
        def handle(self) -> None:
            super().handle()
            self.server.server_close()
            self.server.notes.write("closed")

    server = place.start(kind, Closes)
    first, second = place.connect(server), place.connect(server)
    assert ask(first) == ask(second) == b"hello\n"

    first.shutdown(socket.SHUT_WR)

    assert rest_of(first) == rest_of(second) == b""
    assert {place.notes.read(), place.notes.read()} == {"closed"}


def test_the_mix_in_works_over_a_strangers_server() -> None:
    import socketserver

    class Strange(servers.ThreadingMixIn, socketserver.TCPServer):
        pass

    server = Strange(("127.0.0.1", 0), EchoLines)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    with socket.create_connection(server.server_address, DEADLINE) as client:  # type: ignore[arg-type]
        assert ask(client) == b"hello\n"
    server.shutdown()
    server.server_close()
    join(thread)


class RepliesLate(servers.BaseRequestHandler):
    """Replies after as long as a server takes to close its socket, or as soon as it has."""

    begun: threading.Event

    def handle(self) -> None:
        data, server_socket = self.request
        self.begun.set()
        for _ in range(20):
            if server_socket.fileno() >= 0:
                sleep(0.01)
        server_socket.sendto(data, self.client_address)


@pytest.mark.parametrize("daemon", [False, True])
@each([servers.ThreadingUDPServer, servers.ThreadingUnixDatagramServer])
def test_handlers_of_datagrams_can_reply_while_their_server_is_being_closed(
    place: Place, kind: Any, daemon: bool
) -> None:
    begun = threading.Event()
    server = place.start(kind, type("Handler", (RepliesLate,), {"begun": begun}), daemon_threads=daemon)
    client = place.connect(server)
    client.sendall(b"late")
    assert begun.wait(DEADLINE)

    server.server_close()

    assert client.recv(100) == b"late"


def test_handlers_of_datagrams_can_reply_where_the_mix_in_is_over_a_strangers_server() -> None:
    import socketserver

    class Strange(servers.ThreadingMixIn, socketserver.UDPServer):
        pass

    begun = threading.Event()
    server = Strange(("127.0.0.1", 0), type("Handler", (RepliesLate,), {"begun": begun}))
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(DEADLINE)
        client.connect(server.server_address)
        client.sendall(b"late")
        server.handle_request()
        assert begun.wait(DEADLINE)

        server.server_close()

        assert client.recv(100) == b"late"


@each([kind for kind in STREAM if not issubclass(kind, servers.ForkingMixIn)])
def test_a_fork_in_handle_finishes_in_the_child(place: Place, kind: Any) -> None:
    from tests.servers.forked import check_fork_in_handle

    check_fork_in_handle(place, kind)
