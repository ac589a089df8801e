"""One request's way through its hooks, and what becomes of the others when something fails."""

from __future__ import annotations

import io
import os
import socket
import sys
import threading
from typing import Any

import pytest

from tests.servers.helpers import DATAGRAM, IN_ONE_PROCESS, STREAM, TCP, Notes, Place, ask, each, has_ended, join, poke
from tests.support.handlers import EchoLines
from tests.support.servers import reset, rest_of
from tests.support.waiting import DEADLINE
from windsock import servers

BEFORE_PROCESSING = ["get_request", "verify_request", "process_request"]
HOOKS = [*BEFORE_PROCESSING, "finish_request", "shutdown_request", "close_request"]


class Traced:
    """Notes each hook, and whether it is called in the server's process and thread."""

    notes: Notes

    def __init__(self, *args: Any) -> None:
        self.home = os.getpid()
        super().__init__(*args)

    def note(self, hook: str) -> None:
        where = "child " if os.getpid() != self.home else ""
        where += "thread " if not where and threading.current_thread().name != "serving" else ""
        self.notes.write(where + hook)


def _traced(hook: str) -> Any:
    def call(self: Any, *args: Any) -> Any:
        self.note(hook)
        return getattr(super(TracedHooks, self), hook)(*args)

    return call


TracedHooks: Any = type("TracedHooks", (Traced,), {hook: _traced(hook) for hook in HOOKS})


def order_of_hooks(place: Place, kind: Any) -> list[str]:
    """Return what one request's way was."""
    server = place.start(kind, None, TracedHooks)
    client = place.connect(server)
    assert ask(client) == b"hello\n"
    client.close()
    server.shutdown()
    server.wait_for_requests(DEADLINE)
    return place.notes.read_all()


@each([servers.TCPServer, servers.UnixStreamServer, servers.UDPServer, servers.UnixDatagramServer])
def test_a_request_meets_its_hooks_in_the_classic_order(place: Place, kind: Any) -> None:
    assert order_of_hooks(place, kind) == HOOKS


@each([kind for kind in STREAM + DATAGRAM if issubclass(kind, servers.ThreadingMixIn)])
def test_a_thread_takes_over_where_the_request_is_processed(place: Place, kind: Any) -> None:
    in_thread = ["thread finish_request", "thread shutdown_request", "thread close_request"]

    assert order_of_hooks(place, kind) == BEFORE_PROCESSING + in_thread


@each([kind for kind in STREAM + DATAGRAM if issubclass(kind, servers.ForkingMixIn)])
def test_a_child_takes_over_where_the_request_is_processed(place: Place, kind: Any) -> None:
    seen = order_of_hooks(place, kind)

    assert [hook for hook in seen if not hook.startswith("child ")] == [*BEFORE_PROCESSING, "close_request"]
    in_child = ["child finish_request", "child shutdown_request", "child close_request"]
    assert [hook for hook in seen if hook.startswith("child ")] == in_child


class Fails(servers.BaseRequestHandler):
    """Fails if it is told to, or answers."""

    def handle(self) -> None:
        is_stream = not isinstance(self.request, tuple)
        data = self.request.recv(100) if is_stream else self.request[0]
        if data == b"fail\n":
            raise LookupError(repr(data))
        if is_stream:
            self.request.sendall(data)
        else:
            self.request[1].sendto(data, self.client_address)


@each(STREAM)
@pytest.mark.parametrize("question", [b"fine\n", b"fail\n"])
def test_an_accepted_socket_is_closed_whatever_its_handler_does(place: Place, kind: Any, question: bytes) -> None:
    kept: list[Any] = []  # without a reference left, the interpreter would close it by itself

    class Keeps:
        def verify_request(self, request: Any, client_address: Any) -> bool:
            kept.append(request)
            return True

    server = place.start(kind, Fails, Keeps)
    client = place.connect(server)
    client.sendall(question)

    assert rest_of(client) == (b"" if question == b"fail\n" else question)
    server.shutdown()
    server.wait_for_requests(DEADLINE)
    assert kept[0].fileno() == -1


@each(STREAM)
def test_a_request_turned_away_is_closed(place: Place, kind: Any) -> None:
    kept: list[Any] = []

    class Refuses:
        def verify_request(self, request: Any, client_address: Any) -> bool:
            kept.append(request)
            return False

    client = place.connect(place.start(kind, None, Refuses))

    assert rest_of(client) == b""


@each(STREAM + DATAGRAM)
def test_an_exception_in_a_handler_goes_to_handle_error_and_the_next_request_is_served(place: Place, kind: Any) -> None:
    server = place.start(kind, Fails)
    poke(place.connect(server), b"fail\n")

    assert place.notes.read() == "error LookupError"
    assert ask(place.connect(server)) == b"hello\n"


class FailsOnce:
    """The hook that is named fails for the first request."""

    failing = ""
    failed = False

    def fail(self, hook: str) -> None:
        if hook == self.failing and not self.failed:
            type(self).failed = True
            raise LookupError(hook)

    def get_request(self) -> Any:
        self.fail("get_request")
        return super().get_request()  # type: ignore[misc]

    def verify_request(self, request: Any, client_address: Any) -> Any:
        self.fail("verify_request")
        return super().verify_request(request, client_address)  # type: ignore[misc]

    def process_request(self, request: Any, client_address: Any) -> None:
        self.fail("process_request")
        super().process_request(request, client_address)  # type: ignore[misc]

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)  # type: ignore[misc]
        self.fail("shutdown_request")


@each(STREAM + DATAGRAM)
@pytest.mark.parametrize("hook", ["verify_request", "process_request"])
def test_an_exception_in_a_hook_ends_that_request_and_not_the_server(place: Place, kind: Any, hook: str) -> None:
    server = place.start(kind, None, FailsOnce, failing=hook)
    first = place.connect(server)
    poke(first)

    assert place.notes.read() == "error LookupError"
    if kind in STREAM:
        assert has_ended(first)
    assert ask(place.connect(server)) == b"hello\n"


@each(STREAM + DATAGRAM)
def test_an_exception_in_get_request_does_not_end_the_server(place: Place, kind: Any) -> None:
    server = place.start(kind, None, FailsOnce, failing="get_request")
    client = place.connect(server)

    assert ask(client) == b"hello\n"
    assert place.notes.read() == "error LookupError"


@each(IN_ONE_PROCESS)
def test_an_exception_in_shutdown_request_ends_that_request_and_not_the_server(place: Place, kind: Any) -> None:
    server = place.start(kind, None, FailsOnce, failing="shutdown_request")
    first = place.connect(server)
    assert ask(first) == b"hello\n"
    first.close()

    assert place.notes.read() == "error LookupError"
    assert ask(place.connect(server)) == b"hello\n"


@each(STREAM + DATAGRAM)
def test_an_exception_in_handle_error_ends_that_request_and_not_the_server(
    place: Place, kind: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    class FailsToReport:
        notes: Notes

        def handle_error(self, request: Any, client_address: Any) -> None:
            raise ArithmeticError("no report")

    server = place.start(kind, Fails, FailsToReport)
    first = place.connect(server)
    first.sendall(b"fail\n")
    if kind in STREAM:
        assert rest_of(first) == b""

    assert ask(place.connect(server)) == b"hello\n"
    server.shutdown()
    server.wait_for_requests(DEADLINE)
    told = capfd.readouterr().err
    assert "LookupError: b'fail\\n'" in told
    assert "ArithmeticError: no report" in told


@each(STREAM + DATAGRAM)
def test_handle_error_writes_its_whole_report_to_stderr(
    place: Place, kind: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    server = place.start(kind, Fails, handle_error=kind.handle_error)
    client = place.connect(server)
    client.sendall(b"fail\n")
    if kind in STREAM:
        assert rest_of(client) == b""
    else:
        assert ask(client, b"next") == b"next"
    server.shutdown()
    server.wait_for_requests(DEADLINE)

    out, err = capfd.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == lines[-1] == "-" * 40
    assert lines[1].startswith("Exception occurred during processing of request from ")
    assert lines[-2] == "LookupError: b'fail\\n'"


def test_reports_of_several_threads_do_not_interleave(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pieces(io.StringIO):
        def write(self, text: str, /) -> int:
            pieces.append(text)
            return len(text)

    pieces: list[str] = []
    together = threading.Barrier(6)

    class FailsTogether(servers.BaseRequestHandler):
        def handle(self) -> None:
            together.wait(DEADLINE)
            raise LookupError

    monkeypatch.setattr(sys, "stderr", Pieces())
    kind = servers.ThreadingTCPServer
    server = place.start(kind, FailsTogether, handle_error=kind.handle_error)
    clients = [place.connect(server) for _ in range(6)]
    for client in clients:
        assert rest_of(client) == b""
    server.server_close()

    rule = "-" * 40
    assert [(piece.startswith(rule), piece.endswith(rule + "\n")) for piece in pieces] == [(True, True)] * 6


@each(IN_ONE_PROCESS)
@pytest.mark.parametrize("stderr", [None, "closed"])
def test_a_report_that_nobody_can_read_ends_nothing(
    place: Place, kind: Any, stderr: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = None if stderr is None else io.StringIO()
    if stream is not None:
        stream.close()
    server = place.start(kind, Fails, handle_error=kind.handle_error)
    monkeypatch.setattr(sys, "stderr", stream)
    poke(place.connect(server), b"fail\n")

    assert ask(place.connect(server)) == b"hello\n"
    server.server_close()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@each([servers.TCPServer, servers.UnixStreamServer, servers.UDPServer, servers.UnixDatagramServer])
def test_a_handler_can_end_the_server_with_an_exception_that_is_no_error(
    place: Place, kind: Any, error: type[BaseException]
) -> None:
    class Ends(servers.BaseRequestHandler):
        def handle(self) -> None:
            raise error

    server = place.make(kind, Ends)
    client = place.connect(server)
    client.send(b"x")

    with pytest.raises(error):
        server.serve_forever()
    assert place.notes.read_all() == []
    if kind in STREAM:
        assert has_ended(client)


class WritesUntilItFails(servers.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"first\n")
        self.rfile.readline()
        while True:
            self.wfile.write(bytes(65536))


@each(STREAM)
def test_a_client_that_resets_is_an_outcome_and_not_an_error(place: Place, kind: Any) -> None:
    server = place.start(kind, WritesUntilItFails)
    client = place.connect(server)
    assert client.recv(6) == b"first\n"

    reset(client)

    assert place.notes.read() == "disconnect"
    server.server_close()
    assert place.notes.read_all() == []


@each(TCP)
def test_a_client_that_resets_is_an_outcome_also_for_a_handler_that_reads(place: Place, kind: Any) -> None:
    class Reads(servers.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"first\n")
            self.rfile.read()

    server = place.start(kind, Reads)
    client = place.connect(server)
    assert client.recv(6) == b"first\n"

    reset(client)

    assert place.notes.read() == "disconnect"


@each(STREAM + DATAGRAM)
def test_a_reset_on_another_connection_of_the_handler_is_an_error(place: Place, kind: Any) -> None:
    class LosesItsDatabase(servers.BaseRequestHandler):
        def handle(self) -> None:
            raise ConnectionResetError("the database has gone away")

    server = place.start(kind, LosesItsDatabase)
    poke(place.connect(server))

    assert place.notes.read() == "error ConnectionResetError"


@each([servers.TCPServer, servers.ThreadingTCPServer, servers.UnixStreamServer, servers.ThreadingUnixStreamServer])
def test_the_client_sees_the_end_though_somebody_holds_a_copy_of_the_connection(place: Place, kind: Any) -> None:
    copies: list[socket.socket] = []

    class Copies(servers.BaseRequestHandler):
        def handle(self) -> None:
            copies.append(place.closing.enter_context(self.request.dup()))

    client = place.connect(place.start(kind, Copies))

    assert rest_of(client) == b""
    assert copies[0].fileno() >= 0


def test_handle_request_takes_one_request(place: Place) -> None:
    server = place.make(servers.TCPServer)
    client = place.connect(server)
    client.sendall(b"one\n")
    client.shutdown(socket.SHUT_WR)

    server.handle_request()

    assert rest_of(client) == b"one\n"


def test_handle_request_waits_no_longer_than_its_timeout(place: Place) -> None:
    class Waits:
        notes: Notes

        def handle_timeout(self) -> None:
            self.notes.write("timeout")

    server = place.make(servers.TCPServer, None, Waits, timeout=0.01)
    server.handle_request()
    server.socket.settimeout(0.02)
    server.timeout = 100
    server.handle_request()

    assert place.notes.read_all() == ["timeout", "timeout"]


def test_a_bare_base_server_serves_whatever_its_get_request_gives(place: Place) -> None:
    handled: list[Any] = []

    class Numbers(servers.BaseServer):
        numbers = iter(range(100))

        def get_request(self) -> Any:
            return next(self.numbers), "nowhere"

        def finish_request(self, request: Any, client_address: Any) -> None:
            handled.append((request, client_address))
            if request == 3:
                self.shutdown()

    server = Numbers("nowhere", None)
    server.handle_request()
    server.serve_forever()
    server.server_close()

    assert handled == [(number, "nowhere") for number in range(4)]


def test_a_server_that_cannot_get_requests_says_what_to_override() -> None:
    with pytest.raises(NotImplementedError, match="BaseServer must override get_request"):
        servers.BaseServer("nowhere", None).get_request()


@each(STREAM)
def test_requests_in_other_clothes_are_not_kept_for_ever(place: Place, kind: Any) -> None:
    class Wraps:
        def process_request(self, request: Any, client_address: Any) -> None:
            wrapped = socket.socket(fileno=request.detach())
            super().process_request(wrapped, client_address)  # type: ignore[misc]

    server = place.start(kind, None, Wraps, request_queue_size=128)
    for _ in range(100):
        with place.connect(server) as client:
            assert ask(client) == b"hello\n"
    server.shutdown()

    assert len(server._open_requests.clients()) <= 66


def test_a_handler_may_serve_within_its_request(place: Place) -> None:
    class Nested(EchoLines):
        def handle(self) -> None:
            if self.rfile.readline() == b"nest\n":
                self.server.serve_forever()
            else:
                self.server.shutdown()
            self.wfile.write(b"done\n")

    server = place.make(servers.TCPServer, Nested)
    thread = place.serve(server)
    outer, inner = place.connect(server), place.connect(server)
    outer.sendall(b"nest\n")
    inner.sendall(b"stop\n")

    assert rest_of(inner) == rest_of(outer) == b"done\n"
    join(thread)
