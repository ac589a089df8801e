"""Getting requests when the machine has little to give: descriptors, numbers, listeners that break."""

from __future__ import annotations

import errno
import os
import resource
import socket
import sys
from typing import Any

import pytest

from tests.servers.helpers import DATAGRAM, STREAM, Notes, Place, ask, descriptors, each, join, wait_until_serving
from tests.support.waiting import DEADLINE
from windsock import servers


class CountsAccepts:
    accepts = 0

    def get_request(self) -> Any:
        self.accepts += 1
        return super().get_request()  # type: ignore[misc]


@each(STREAM)
def test_emfile_on_accept_backs_off_and_recovers(place: Place, kind: Any) -> None:
    server = place.start(kind, None, CountsAccepts)
    wait_until_serving(server)
    waiting = socket.socket(server.address_family, server.socket_type)
    waiting.settimeout(DEADLINE)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    plugs = _plug_holes()
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(descriptors()) + 1, hard))
    try:
        waiting.connect(server.server_address)
        assert place.notes.read() == f"accept error {errno.EMFILE}"
        assert not place.notes.wait(0.1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for plug in plugs:
            os.close(plug)

    assert ask(waiting) == b"hello\n"
    assert place.notes.read_all() == []
    assert server.accepts <= 6  # after 0, 0.05, 0.15, 0.35 s
    waiting.close()


def _plug_holes() -> list[int]:
    """Take all free descriptors below the highest one that is open."""
    plugs = []
    highest = max(descriptors())
    while True:
        plug = os.open(os.devnull, os.O_RDONLY)
        plugs.append(plug)
        if plug > highest:
            return plugs


class Exhausted:
    """Fails as accept(2) does, for so many times."""

    notes: Notes
    failures = 0
    error = errno.EMFILE

    def get_request(self) -> Any:
        if self.failures:
            self.failures -= 1
            raise OSError(self.error, os.strerror(self.error))
        return super().get_request()  # type: ignore[misc]


@each([servers.TCPServer, servers.ThreadingUnixStreamServer])
@pytest.mark.parametrize("error", [errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_each_run_of_accept_failures_is_told_once(place: Place, kind: Any, error: int) -> None:
    server = place.start(kind, None, Exhausted, failures=2, error=error)
    with place.connect(server) as client:
        assert ask(client) == b"hello\n"
    server.failures = 1
    with place.connect(server) as client:
        assert ask(client) == b"hello\n"

    assert place.notes.read_all() == [f"accept error {error}"] * 2


@each(STREAM + DATAGRAM)
def test_an_error_that_only_the_client_has_is_passed_over(place: Place, kind: Any) -> None:
    server = place.start(kind, None, Exhausted, failures=1, error=errno.ECONNABORTED)

    assert ask(place.connect(server)) == b"hello\n"
    assert place.notes.read_all() == []


@each([servers.TCPServer, servers.UDPServer])
def test_an_exception_in_handle_accept_error_ends_nothing(
    place: Place, kind: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    class Fails:
        def handle_accept_error(self, error: OSError) -> None:
            raise LookupError("no report")

    server = place.start(kind, None, Fails, Exhausted, failures=1)

    assert ask(place.connect(server)) == b"hello\n"
    assert "LookupError: no report" in capfd.readouterr().err


def test_an_accept_failure_is_written_to_stderr(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    kind = servers.TCPServer
    server = place.start(kind, None, Exhausted, failures=1, handle_accept_error=kind.handle_accept_error)

    assert ask(place.connect(server)) == b"hello\n"
    told = capfd.readouterr().err
    assert f"Exception occurred while accepting on {server.server_address}\n" in told
    assert f"OSError: [Errno {errno.EMFILE}]" in told


def test_handle_request_rests_after_a_failure_instead_of_spinning(place: Place) -> None:
    from time import monotonic

    server = place.make(servers.TCPServer, None, Exhausted, failures=1)
    place.connect(server)
    start = monotonic()

    server.handle_request()

    assert monotonic() - start >= 0.05
    assert place.notes.read_all() == [f"accept error {errno.EMFILE}"]


@each([servers.TCPServer, servers.UnixStreamServer, servers.UDPServer])
def test_descriptors_of_1024_and_more_are_no_limit(place: Place, kind: Any) -> None:
    import fcntl

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip(f"this user may have {hard} descriptors only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    try:
        server = place.make(kind)
        low = server.socket
        server.socket = socket.socket(fileno=fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 1500))
        low.close()
        thread = place.serve(server)

        assert server.fileno() >= 1500
        with place.connect(server) as client:
            assert ask(client) == b"hello\n"
        server.server_close()
        join(thread)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@each(STREAM)
def test_a_burst_as_long_as_the_backlog_is_served(place: Place, kind: Any) -> None:
    server = place.make(kind, request_queue_size=64, max_children=100)
    clients = []
    for _ in range(64):
        client = place.connect(server)
        client.sendall(b"hello\n")
        client.shutdown(socket.SHUT_WR)
        clients.append(client)

    place.serve(server)

    assert {client.recv(100) for client in clients} == {b"hello\n"}


@pytest.mark.skipif(sys.platform != "linux", reason="the order of errors is Linux's")
@each(STREAM)
def test_a_client_that_left_the_queue_is_passed_over(place: Place, kind: Any) -> None:
    server = place.make(kind)
    gone = place.connect(server)
    if kind.address_family == socket.AF_INET:
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    gone.close()
    place.serve(server)

    assert ask(place.connect(server)) == b"hello\n"
    server.server_close()
    assert set(place.notes.read_all()) <= {"disconnect"}
