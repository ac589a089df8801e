"""StreamRequestHandler: its files write all or fail, and are closed whatever happens."""

from __future__ import annotations

import array
import io
import socket
import threading
from typing import Any

import pytest

from tests.servers.helpers import STREAM, TCP, Place, each
from tests.support.servers import rest_of
from tests.support.waiting import DEADLINE, ends_in_time
from windsock import servers

MANY = 3_000_000
"""Bytes: more than any socket's buffers take at once."""


@each(STREAM)
@pytest.mark.parametrize("wbufsize", [0, 8192])
def test_a_partial_write_never_loses_bytes(place: Place, kind: Any, wbufsize: int) -> None:
    class WritesMuch(servers.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"x" * MANY)

    handler = type("WritesMuch", (WritesMuch,), {"wbufsize": wbufsize})
    client = place.connect(place.start(kind, handler))

    assert len(rest_of(client)) == MANY


class OneByteAtATime:
    """A connection whose send() takes as little as it may."""

    def __init__(self) -> None:
        self.sent = b""

    def send(self, data: bytes) -> int:
        self.sent += bytes(data[:1])
        return 1

    def sendall(self, data: Any) -> None:
        with memoryview(data).cast("B") as left:
            for place in range(len(left)):
                self.send(left[place : place + 1])  # type: ignore[arg-type]

    def makefile(self, mode: str, size: int) -> io.BytesIO:
        return io.BytesIO()

    def fileno(self) -> int:
        return 42


class Writes(servers.StreamRequestHandler):
    def handle(self) -> None:
        self.counts = [
            self.wfile.write(b"abc"),
            self.wfile.write(memoryview(b"def")),
            self.wfile.write(array.array("H", [1, 2])),
        ]
        self.wfile.writelines([b"gh", b"i"])
        self.number = self.wfile.fileno()


def test_an_unbuffered_write_returns_the_bytes_it_wrote_which_are_all() -> None:
    connection = OneByteAtATime()

    handler = Writes(connection, None, None)

    assert handler.counts == [3, 3, 4]
    assert connection.sent == b"abcdef" + array.array("H", [1, 2]).tobytes() + b"ghi"
    assert handler.number == 42
    assert handler.wfile.writable()
    assert not handler.wfile.readable()


def test_text_is_no_bytes() -> None:
    class WritesText(servers.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write("text")

    with pytest.raises(TypeError):
        WritesText(OneByteAtATime(), None, None)


class Steps(servers.BaseRequestHandler):
    """Records its steps in the place of the server; the step that the request names fails."""

    def step(self, name: str) -> None:
        self.server.append(name)
        if name == self.request:
            raise LookupError(name)

    def setup(self) -> None:
        self.step("setup")

    def handle(self) -> None:
        self.step("handle")

    def finish(self) -> None:
        self.step("finish")


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ("setup", ["setup"]),
        ("handle", ["setup", "handle", "finish"]),
        ("finish", ["setup", "handle", "finish"]),
    ],
)
def test_finish_is_called_after_handle_whatever_happened_there(failing: str, expected: list[str]) -> None:
    steps: list[str] = []

    with pytest.raises(LookupError):
        Steps(failing, None, steps)

    assert steps == expected


def test_a_handler_knows_its_request_its_client_and_its_server() -> None:
    steps: list[str] = []

    handler = Steps("request", "client", steps)

    assert (handler.request, handler.client_address, handler.server) == ("request", "client", steps)
    assert steps == ["setup", "handle", "finish"]


@each(STREAM)
def test_the_files_and_the_socket_are_there(place: Place, kind: Any) -> None:
    class Looks(servers.StreamRequestHandler):
        def handle(self) -> None:
            is_right = self.connection is self.request and self.rfile.readable() and self.wfile.writable()
            self.wfile.write(b"right\n" if is_right else b"wrong\n")

    assert rest_of(place.connect(place.start(kind, Looks))) == b"right\n"


@pytest.mark.parametrize("wbufsize", [0, 100_000])
def test_finish_closes_both_files_though_the_peer_is_gone(wbufsize: int) -> None:
    class WritesToNobody(servers.StreamRequestHandler):
        def handle(self) -> None:
            there.close()
            if wbufsize:
                self.wfile.write(b"x" * 1000)

    handler_class = type("WritesToNobody", (WritesToNobody,), {"wbufsize": wbufsize})
    here, there = socket.socketpair()
    with here:
        handler = handler_class(here, None, None)

        assert handler.rfile.closed
        assert handler.wfile.closed


@pytest.mark.parametrize("wbufsize", [0, 100])
def test_handle_may_close_its_file_itself(wbufsize: int) -> None:
    class Closes(servers.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"all")
            self.wfile.close()

    handler_class = type("Closes", (Closes,), {"wbufsize": wbufsize})
    here, there = socket.socketpair()
    there.settimeout(DEADLINE)
    with here, there:
        handler_class(here, None, None)

        assert there.recv(100) == b"all"


def test_what_is_left_in_a_buffer_goes_out_at_the_end(place: Place) -> None:
    class Buffers(servers.StreamRequestHandler):
        wbufsize = 100_000

        def handle(self) -> None:
            self.wfile.write(b"left\n")

    assert rest_of(place.connect(place.start(servers.TCPServer, Buffers))) == b"left\n"


@each(STREAM)
def test_a_silent_client_meets_the_handlers_timeout(place: Place, kind: Any) -> None:
    class Waits(servers.StreamRequestHandler):
        timeout = 0.02

        def handle(self) -> None:
            self.rfile.readline()

    client = place.connect(place.start(kind, Waits))

    with ends_in_time():
        assert rest_of(client) == b""
    assert place.notes.read() == "error TimeoutError"


@each(TCP)
@pytest.mark.parametrize("wanted", [True, False])
def test_disable_nagle_algorithm_sets_tcp_nodelay(place: Place, kind: Any, wanted: bool) -> None:
    class Looks(servers.StreamRequestHandler):
        def handle(self) -> None:
            option = self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            self.wfile.write(b"no delay" if option else b"delay")

    handler = type("Looks", (Looks,), {"disable_nagle_algorithm": wanted})

    assert rest_of(place.connect(place.start(kind, handler))) == (b"no delay" if wanted else b"delay")


def test_an_unbuffered_rfile_takes_no_more_than_it_is_asked_for(place: Place) -> None:
    class TakesALine(servers.StreamRequestHandler):
        rbufsize = 0

        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(self.connection.recv(100))

    client = place.connect(place.start(servers.TCPServer, TakesALine))
    client.sendall(b"a line\nthe rest")

    assert rest_of(client) == b"the rest"


def test_no_handler_outlives_its_request(place: Place) -> None:
    import gc
    import weakref

    alive: list[weakref.ref[Any]] = []
    done = threading.Event()

    class Remembered(servers.StreamRequestHandler):
        def handle(self) -> None:
            alive.append(weakref.ref(self))
            done.set()

    server = place.start(servers.ThreadingTCPServer, Remembered)
    gc.disable()
    try:
        assert rest_of(place.connect(server)) == b""
        assert done.wait(DEADLINE)
        server.server_close()
        assert alive[0]() is None
    finally:
        gc.enable()
