"""What handlers of urgent data may not do: how they are declared, what they read, and how long they take."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading
from typing import Any

import pytest

import windsock
from tests.servers.helpers import only_linux
from tests.servers.test_urgent_data import KINDS, Lines, client_of, says
from tests.support.servers import on_every_stream, reset, wait_for_end, wait_for_error
from tests.support.waiting import DEADLINE
from windsock import StillRunning
from windsock.errors import UsageError
from windsock.servers import BaseRequestHandler, StreamRequestHandler, UrgentMixIn
from windsock.servers.rpc import RPCRequestHandler

pytestmark = only_linux

# --- reading


class ReadsFile(UrgentMixIn, StreamRequestHandler):
    """Reads its file where it is told of urgent data, while `handle()` may hold the lock of the file."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())

    def handle_urgent(self, byte: bytes, position: int) -> None:
        self.rfile.readline()


class ReadsFileInline(ReadsFile):
    urgent_inline = True


class ReadsFileBusy(ReadsFile):
    """Does not read in `handle()` until it was told, so another thread tells it."""

    def setup(self) -> None:
        self.is_told = threading.Event()
        super().setup()

    def handle(self) -> None:
        assert self.is_told.wait(DEADLINE)
        self.rfile.readline()

    def handle_urgent(self, byte: bytes, position: int) -> None:
        self.is_told.set()
        super().handle_urgent(byte, position)


BUSY: list[tuple[str, Any]] = [(concurrency, ReadsFileBusy) for concurrency, _ in KINDS if concurrency != "selecting"]


@on_every_stream
@pytest.mark.parametrize(
    ("concurrency", "handler"),
    [(concurrency, handler) for concurrency, _ in KINDS for handler in (ReadsFile, ReadsFileInline)] + BUSY,
)
def test_a_handler_that_reads_its_file_where_it_is_told_of_urgent_data_gets_an_error(
    handler: Any, transport: str, concurrency: str
) -> None:
    with client_of(handler, transport, concurrency, "direct", strict=False) as (client, server):
        client.send(b"X", socket.MSG_OOB)
        assert client.recv(10) == b""
        wait_for_error(server)

    (error,) = server.errors
    assert isinstance(error, UsageError)
    assert str(error) == (
        f"{handler.__name__}.handle_urgent() uses self.rfile, which handle() may be reading: "
        "read self.request, or tell handle() by an attribute"
    )


class ReadsRequest(ReadsFile):
    """Reads the line behind the urgent byte from its socket."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())
        self.wfile.write(self.rfile.readline())

    def handle_urgent(self, byte: bytes, position: int) -> None:
        line = b""
        while not line.endswith(b"\n"):
            line += self.request.recv(1)
        self.wfile.write(b"urgent " + line)


@on_every_stream
@pytest.mark.parametrize("concurrency", [concurrency for concurrency, _ in KINDS])
def test_a_handler_may_read_its_socket_where_it_is_told_of_urgent_data(transport: str, concurrency: str) -> None:
    with client_of(ReadsRequest, transport, concurrency, "direct") as (client, _):
        client.send(b"X", socket.MSG_OOB)
        client.sendall(b"one\n")
        says(client, b"urgent one\n")
        client.sendall(b"two\n")
        says(client, b"two\n")
        client.sendall(b"three\n")
        says(client, b"three\n")


def test_a_handler_without_a_file_has_none() -> None:
    found: list[bool] = []

    class NoFile(UrgentMixIn, BaseRequestHandler):
        def handle(self) -> None:
            found.append(hasattr(self, "rfile"))

    with client_of(NoFile, "tcp", "threading", "direct") as (client, _):
        assert client.recv(1) == b""
    assert found == [False]


class EndsAtOnce(UrgentMixIn, BaseRequestHandler):
    """Has something urgent to read, neither reads nor sends, and ends."""

    told: list[tuple[bytes, int]]

    def setup(self) -> None:
        poll = select.poll()
        poll.register(self.request.fileno(), select.POLLPRI)
        assert poll.poll(DEADLINE * 1000)
        super().setup()

    def handle(self) -> None:
        """Do nothing."""

    def handle_urgent(self, byte: bytes, position: int) -> None:
        self.told.append((byte, position))


class AsyncEndsAtOnce(EndsAtOnce):
    async def handle(self) -> None:  # type: ignore[override]  # as trio servers allow
        """Do nothing."""


AT_ONCE = [("sync", EndsAtOnce), ("threading", EndsAtOnce), ("selecting", EndsAtOnce), ("trio", EndsAtOnce)]


@on_every_stream
@pytest.mark.parametrize(("concurrency", "handler"), [*AT_ONCE, ("trio", AsyncEndsAtOnce)])
def test_a_handler_that_does_not_read_is_told_at_its_end_at_the_latest(
    handler: Any, transport: str, concurrency: str
) -> None:
    class Mine(handler):  # type: ignore[misc]
        told: list[tuple[bytes, int]] = []  # noqa: RUF012  # of this test

    with client_of(Mine, transport, concurrency, "direct") as (client, _):
        client.send(b"abcX", socket.MSG_OOB)
        with contextlib.suppress(ConnectionResetError):  # it leaves data unread
            assert client.recv(1) == b""

    assert Mine.told == [(b"X", 3)]


class ReadsLate(UrgentMixIn, BaseRequestHandler):
    """Reads once the client has reset the connection behind an urgent byte."""

    def setup(self) -> None:
        poll = select.poll()
        poll.register(self.request.fileno(), 0)
        assert poll.poll(DEADLINE * 1000)  # POLLHUP, POLLERR
        super().setup()

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self.request.recv(1):
                pass

    def handle_urgent(self, byte: bytes, position: int) -> None:
        """Do nothing."""


@pytest.mark.parametrize("concurrency", [concurrency for concurrency, _ in KINDS])
def test_a_connection_that_is_reset_behind_an_urgent_byte_ends(concurrency: str) -> None:
    with windsock.serving(ReadsLate, transport="tcp", concurrency=concurrency, strict=False) as server:
        with socket.create_connection(server.address, DEADLINE) as client:
            client.send(b"X", socket.MSG_OOB)
            reset(client)

        wait_for_end(server)


# --- declarations


def declare(*bases: Any, **attributes: Any) -> Any:
    return type("Declared", bases, attributes)


@pytest.mark.parametrize(
    "other", [StreamRequestHandler, BaseRequestHandler, RPCRequestHandler, socketserver.StreamRequestHandler]
)
def test_a_mix_in_that_comes_after_the_handler_class_is_refused_with_the_right_order(other: Any) -> None:
    name = other.__name__
    message = rf"Declared: {name} comes before UrgentMixIn; write class Declared\(UrgentMixIn, {name}\)"
    with pytest.raises(UsageError, match=message):
        declare(other, UrgentMixIn)


def test_a_mix_in_of_ones_own_may_come_before() -> None:
    class Noting:
        def setup(self) -> None:
            super().setup()  # type: ignore[misc]  # of the handler class

    assert declare(Noting, UrgentMixIn, StreamRequestHandler).urgent_inline is False
    assert declare(Noting, Lines).__name__ == "Declared"


async def handle_urgent(self: Any, byte: bytes, position: int) -> None: ...
async def handle(self: Any) -> None: ...
def blocking(self: Any) -> None: ...


@pytest.mark.parametrize("other", [StreamRequestHandler, BaseRequestHandler])
def test_an_async_handle_urgent_of_a_blocking_handler_is_refused_with_what_to_do(other: Any) -> None:
    message = r"Declared.handle_urgent\(\) is async, and its handle\(\) is not: write def handle_urgent\(\), or make"
    with pytest.raises(UsageError, match=message):
        declare(UrgentMixIn, other, handle=blocking, handle_urgent=handle_urgent)
    with pytest.raises(UsageError, match=message):
        declare(Lines, handle_urgent=handle_urgent)
    with pytest.raises(UsageError, match=message):
        declare(UrgentMixIn, RPCRequestHandler, program=1, version=1, handle_urgent=handle_urgent)


def test_an_async_handle_urgent_is_for_async_handlers_and_for_bases_without_a_handle() -> None:
    base = declare(UrgentMixIn, BaseRequestHandler, handle_urgent=handle_urgent)

    assert issubclass(declare(base, handle=handle), UrgentMixIn)
    with pytest.raises(UsageError, match=r"handle_urgent\(\) is async"):
        declare(base, handle=blocking)


# --- time


class Stuck(UrgentMixIn, BaseRequestHandler):
    """Its `handle()` ends while it is told of urgent data, and that does not end."""

    urgent_timeout = 0.05
    is_told: threading.Event
    go_on: threading.Event
    threads: list[threading.Thread]

    def handle(self) -> None:
        assert self.is_told.wait(DEADLINE)

    def handle_urgent(self, byte: bytes, position: int) -> None:
        self.threads.append(threading.current_thread())
        self.is_told.set()
        assert self.go_on.wait(DEADLINE)


class StuckAndCloses(Stuck):
    def handle(self) -> None:
        super().handle()
        self.request.close()


@on_every_stream
@pytest.mark.parametrize("handler", [Stuck, StuckAndCloses])
@pytest.mark.parametrize("concurrency", ["sync", "threading", "trio"])
def test_a_handle_urgent_that_does_not_end_is_named(handler: Any, transport: str, concurrency: str) -> None:
    class Mine(handler):  # type: ignore[misc]
        is_told = threading.Event()
        go_on = threading.Event()
        threads: list[threading.Thread] = []  # noqa: RUF012  # of this test

    with client_of(Mine, transport, concurrency, "direct", strict=False) as (client, server):
        client.send(b"X", socket.MSG_OOB)
        assert client.recv(1) == b""
        wait_for_error(server)
        Mine.go_on.set()
        Mine.threads[0].join(DEADLINE)

    (error,) = server.errors
    assert isinstance(error, StillRunning)
    assert str(error) == ("Stuck.handle_urgent() did not end within 0.05 s, still running: thread 'urgent data'")


@pytest.mark.parametrize("seconds", [-1, None, "5", True])
def test_a_time_for_handle_urgent_that_is_none_is_refused(seconds: Any) -> None:
    class Mine(Lines):
        urgent_timeout = seconds

    with windsock.serving(Mine, transport="tcp", concurrency="threading", strict=False) as server:
        with socket.create_connection(server.address, DEADLINE) as client:
            assert client.recv(1) == b""
        wait_for_error(server)

    assert str(server.errors[0]) == f"urgent_timeout = {seconds!r}: expected seconds, 0 or more"
