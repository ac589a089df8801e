"""ForkingMixIn: its children are counted, collected, told apart from others', and have what they need only."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import mmap
import operator
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from typing import Any

import pytest

from tests.servers.helpers import (
    DATAGRAM,
    FORKING,
    STREAM,
    TCP,
    Notes,
    Place,
    ask,
    descriptors,
    each,
    has_ended,
    join,
    only_linux,
    poke,
)
from tests.support.handlers import EchoLines
from tests.support.processes import ended_well, forked, run_python
from tests.support.servers import rest_of
from tests.support.waiting import DEADLINE, ends_in_time, wait_until
from windsock import servers
from windsock.errors import StillRunning
from windsock.net import system

FORKING_STREAM = [kind for kind in FORKING if kind.socket_type == socket.SOCK_STREAM]
FORKING_DATAGRAM = [kind for kind in FORKING if kind.socket_type == socket.SOCK_DGRAM]


def only_child(server: Any) -> int:
    """Return the pid of the child that has just answered; the parent may not have noted it yet."""
    wait_until(lambda: server.active_children, "the child to be known")
    (pid,) = server.active_children
    return int(pid)


class TellsExits:
    notes: Notes

    def child_exited(self, pid: int, exit_code: int) -> None:
        self.notes.write(f"exit {exit_code}")


class DoesAsTold(servers.BaseRequestHandler):
    """Ends its process in the way that the client names."""

    def handle(self) -> None:
        word = self.request[0] if isinstance(self.request, tuple) else self.request.recv(100)
        if word == b"raise":
            raise LookupError(word)
        if word == b"exit 3":
            sys.exit(3)
        if word == b"exit text":
            sys.exit("text")
        if word == b"kill":
            os.kill(os.getpid(), signal.SIGKILL)


@each(FORKING)
@pytest.mark.parametrize(
    ("word", "code"), [(b"return", 0), (b"raise", 1), (b"exit 3", 3), (b"exit text", 1), (b"kill", -9)]
)
def test_the_exit_code_of_each_child_is_told(place: Place, kind: Any, word: bytes, code: int) -> None:
    server = place.start(kind, DoesAsTold, TellsExits)
    place.connect(server).send(word)

    told = {place.notes.read()}
    if word == b"raise":
        told.add(place.notes.read())
        assert told == {"error LookupError", "exit 1"}
    else:
        assert told == {f"exit {code}"}
    assert server.active_children == set()


@each(FORKING)
def test_an_exception_in_child_exited_ends_nothing(place: Place, kind: Any, capfd: pytest.CaptureFixture[str]) -> None:
    class Fails:
        def child_exited(self, pid: int, exit_code: int) -> None:
            raise LookupError("no report")

    server = place.start(kind, None, Fails)
    for _ in range(2):
        with place.connect(server) as client:
            assert ask(client) == b"hello\n"
    server.server_close()

    assert capfd.readouterr().err.count("LookupError: no report") == 2


@each(FORKING)
def test_no_zombie_stays_while_the_server_idles(place: Place, kind: Any) -> None:
    server = place.start(kind, None, TellsExits)
    with place.connect(server) as client:
        assert ask(client) == b"hello\n"

    assert place.notes.read() == "exit 0"
    with contextlib.suppress(ChildProcessError):  # there may be other children, such as the watcher of real programs
        assert os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


@each(FORKING_STREAM)
@pytest.mark.parametrize("before", ["handle_request", "serve_forever"])
def test_a_loop_collects_the_children_of_earlier_ones(place: Place, kind: Any, before: str) -> None:
    server = place.make(kind, None, TellsExits)
    client = place.connect(server)
    if before == "handle_request":
        server.handle_request()
    else:
        thread = place.serve(server)
        assert ask(client) == b"hello\n"
        server.shutdown()
        join(thread)

    place.serve(server)
    assert ask(client) == b"hello\n"
    client.close()

    assert place.notes.read() == "exit 0"


@each(FORKING)
def test_active_children_is_none_before_the_first_and_a_set_then(place: Place, kind: Any) -> None:
    server = place.make(kind)
    assert server.active_children is None
    with place.connect(server) as client:
        client.send(b"hello\n")
        server.handle_request()
        assert isinstance(server.active_children, set)
        assert len(server.active_children) == 1

    server.collect_children(blocking=True)
    assert server.active_children == set()


@each(FORKING)
def test_foreign_children_are_never_reaped(place: Place, kind: Any) -> None:
    server = place.start(kind, max_children=1)
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"]) as stranger:
        os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)
        for _ in range(3):
            with place.connect(server) as client:
                assert ask(client) == b"hello\n"
        server.server_close()

        assert stranger.wait(DEADLINE) == 7


@each(FORKING)
def test_a_child_that_somebody_else_reaped_is_forgotten(place: Place, kind: Any) -> None:
    server = place.make(kind, None, max_children=1)
    for _ in range(2):
        with place.connect(server) as client:
            client.sendall(b"hello\n")
            if kind in FORKING_STREAM:
                client.shutdown(socket.SHUT_WR)
            server.handle_request()
            (pid,) = server.active_children
            os.waitpid(pid, 0)

    server.collect_children()
    assert server.active_children == set()


class TakesNothing:
    """Leaves its children to the test."""

    notes: Notes

    def collect_children(self, *, blocking: bool = False) -> None:
        self.notes.write(f"collect {blocking}")


def answered_by_a_child(place: Place, server: Any) -> None:
    with place.connect(server) as client:
        assert ask(client) == b"hello\n"


@each(FORKING)
def test_an_overridden_collect_children_is_the_only_one_to_collect(place: Place, kind: Any) -> None:
    server = place.start(kind, None, TakesNothing)
    for _ in range(2):
        answered_by_a_child(place, server)
    wait_until(lambda: len(server.active_children or ()) == 2, "two children")
    pids = sorted(server.active_children)
    server.server_close()

    assert sorted(server.active_children) == pids
    assert [os.waitpid(pid, 0) for pid in pids] == [(pid, 0) for pid in pids]
    notes = place.notes.read_all()
    assert notes.count("collect True") == 1
    assert "collect False" in notes


@each(FORKING)
def test_it_is_called_when_a_child_ends_and_can_take_its_exit_status_itself(place: Place, kind: Any) -> None:
    class TakesThemItself:
        notes: Notes
        active_children: set[int]

        def collect_children(self, *, blocking: bool = False) -> None:
            for pid in list(self.active_children or ()):
                if os.waitpid(pid, 0 if blocking else os.WNOHANG)[0]:
                    self.active_children.discard(pid)
                    self.notes.write("collected")

    server = place.start(kind, None, TakesThemItself)
    for _ in range(3):
        answered_by_a_child(place, server)
        assert place.notes.read() == "collected"

    server.server_close()
    assert server.active_children == set()


@each(FORKING)
def test_an_extended_collect_children_collects(place: Place, kind: Any) -> None:
    class Counts(TellsExits):
        def collect_children(self, *, blocking: bool = False) -> None:
            super().collect_children(blocking=blocking)  # type: ignore[misc]  # the server class has it

    server = place.start(kind, None, Counts)
    for _ in range(3):
        answered_by_a_child(place, server)
        assert place.notes.read() == "exit 0"

    server.server_close()
    assert server.active_children == set()


@each(FORKING)
def test_children_that_nobody_collects_do_not_keep_the_server_from_its_end(place: Place, kind: Any) -> None:
    server = place.make(kind, None, TakesNothing, max_children=1)
    for _ in range(3):
        with place.connect(server) as client:
            client.sendall(b"hello\n")
            if kind in FORKING_STREAM:
                client.shutdown(socket.SHUT_WR)
            server.handle_request()
    pids = sorted(server.active_children)
    server.server_close()

    assert len(pids) == 3
    for pid in pids:
        os.waitpid(pid, 0)


class SaysWhen(servers.BaseRequestHandler):
    """Notes its start and its end; the client decides when that is."""

    def handle(self) -> None:
        self.server.notes.write("start")
        self.request.recv(1)
        self.server.notes.write("end")


@each(FORKING_STREAM)
@pytest.mark.parametrize("by", ["handle_request", "serve_forever"])
def test_max_children_holds_under_handle_request_too(place: Place, kind: Any, by: str) -> None:
    server = place.make(kind, SaysWhen, max_children=2)
    clients = [place.connect(server) for _ in range(3)]

    def take() -> None:
        for _ in clients:
            server.handle_request()

    thread = threading.Thread(target=take if by == "handle_request" else server.serve_forever, daemon=True)
    thread.start()
    assert [place.notes.read(), place.notes.read()] == ["start", "start"]
    assert not place.notes.wait(0.1)
    wait_until(lambda: len(server.active_children) == 2, "two children")
    clients[0].close()

    assert [place.notes.read(), place.notes.read()] == ["end", "start"]
    for client in clients[1:]:
        client.close()
    server.shutdown()
    join(thread)
    server.collect_children(blocking=True)


@each(FORKING_STREAM)
def test_a_server_at_its_max_children_can_be_shut_down(place: Place, kind: Any) -> None:
    class TellsAccepts:
        notes: Notes

        def verify_request(self, request: Any, client_address: Any) -> bool:
            self.notes.write("accepted")
            return True

    server = place.make(kind, None, TellsAccepts, max_children=1)
    thread = place.serve(server)
    first = place.connect(server)
    assert ask(first) == b"hello\n"
    second = place.connect(server)
    assert [place.notes.read(), place.notes.read()] == ["accepted", "accepted"]

    server.shutdown()
    join(thread)

    assert has_ended(second)
    assert place.notes.read() == "error RuntimeError"
    assert ask(first) == b"hello\n"


@each(FORKING)
def test_a_fork_that_fails_goes_to_handle_error_and_closes_its_request(
    place: Place, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = place.start(kind)
    fork = system.os.fork

    def fail_once() -> int:
        monkeypatch.setattr(system.os, "fork", fork)
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    monkeypatch.setattr(system.os, "fork", fail_once)
    first = place.connect(server)
    poke(first)

    assert place.notes.read() == "error BlockingIOError"
    if kind in STREAM:
        assert has_ended(first)
    with place.connect(server) as client:
        assert ask(client) == b"hello\n"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask


@each(FORKING_STREAM)
def test_the_parent_keeps_no_copy_of_a_childs_connection(place: Place, kind: Any) -> None:
    server = place.start(kind)
    client = place.connect(server)
    assert ask(client) == b"hello\n"
    pid = only_child(server)

    os.kill(pid, signal.SIGKILL)

    assert rest_of(client) == b""


class SaysGoodbye(EchoLines):
    def handle(self) -> None:
        super().handle()
        self.server.notes.write("end of stream")


@only_linux
@each(FORKING_STREAM)
@pytest.mark.parametrize("address", ["plain", "other"])
def test_a_client_in_the_same_process_is_seen_to_leave(place: Place, kind: Any, address: str) -> None:
    bind_to: Any = None
    if address == "other":
        bind_to = ("0.0.0.0", 0) if kind in TCP else f"\0windsock-{os.getpid()}"
    server = place.start(kind, SaysGoodbye, address=bind_to)
    first, second = place.connect(server), place.connect(server)
    assert ask(first) == ask(second) == b"hello\n"  # the second's child has inherited the first's client

    first.close()

    assert place.notes.read() == "end of stream"
    second.close()
    assert place.notes.read() == "end of stream"


@each(FORKING_STREAM)
def test_a_client_of_another_server_in_the_same_process_is_seen_to_leave(place: Place, kind: Any) -> None:
    one, other = place.start(servers.ThreadingTCPServer, SaysGoodbye), place.start(kind)
    first, second = place.connect(one), place.connect(other)
    assert ask(first) == ask(second) == b"hello\n"

    first.close()

    assert place.notes.read() == "end of stream"


@each(FORKING_STREAM)
def test_a_child_does_not_hold_the_listener(place: Place, kind: Any) -> None:
    server = place.start(kind, block_on_close=False)
    client = place.connect(server)
    assert ask(client) == b"hello\n"
    server.server_close()

    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        place.connect(server)
    client.close()
    assert server.wait_for_requests(DEADLINE) == []


@only_linux
@each(FORKING_STREAM)
def test_a_child_has_its_own_connection_and_no_other_socket_of_the_server(place: Place, kind: Any) -> None:
    class Counts(servers.StreamRequestHandler):
        def handle(self) -> None:
            found = [what for what in descriptors().values() if what.startswith("socket:")]
            self.wfile.write(b"%d" % len(found))

    before = len([what for what in descriptors().values() if what.startswith("socket:")])
    server = place.start(kind)
    clients = [place.connect(server) for _ in range(3)]
    assert {ask(client) for client in clients} == {b"hello\n"}
    server.RequestHandlerClass = Counts

    assert int(rest_of(place.connect(server))) == before + 1


@each(FORKING)
def test_no_warning_of_a_fork_beside_threads_reaches_anybody(place: Place, kind: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:  # Python itself drops this one if it is to be an error
        warnings.simplefilter("always")
        filters = list(warnings.filters)
        server = place.start(kind)
        with place.connect(server) as client:
            assert ask(client) == b"hello\n"
        server.server_close()
        assert list(warnings.filters) == filters

    assert [str(each.message) for each in caught] == []
    assert place.notes.read_all() == []


def test_servers_that_fork_at_the_same_time_keep_each_other_quiet(place: Place) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        filters = list(warnings.filters)
        started = [place.start(servers.ForkingTCPServer, request_queue_size=128) for _ in range(3)]
        clients = [place.connect(server) for server in started for _ in range(8)]
        for client in clients:
            client.sendall(b"hello\n")
        for client in clients:
            assert client.recv(100) == b"hello\n"
            client.close()
        for server in started:
            server.server_close()
        assert list(warnings.filters) == filters

    assert [str(each.message) for each in caught] == []
    assert place.notes.read_all() == []


@each(FORKING_STREAM)
def test_server_close_lets_children_finish_and_exit_well(place: Place, kind: Any) -> None:
    server = place.start(kind, None, TellsExits)
    client = place.connect(server)
    assert ask(client) == b"hello\n"

    server.server_close()

    assert place.notes.read() == "exit 0"
    assert rest_of(client) == b""


class NoticesTooLate(servers.BaseRequestHandler):
    """Begins to read when a signal has come, but before Python sees to it: there is no step of Python in between."""

    def handle(self) -> None:
        libc = ctypes.CDLL(None)
        nothing, ours = (ctypes.create_string_buffer(1024) for _ in range(2))  # sigset_t
        libc.sigemptyset(nothing)
        libc.sigemptyset(ours)
        libc.sigaddset(ours, int(signal.SIGTERM))
        calls = [
            functools.partial(libc.sigsuspend, nothing),  # returns when the signal has come, which is blocked again
            functools.partial(libc.pthread_sigmask, int(signal.SIG_UNBLOCK), ours, None),
            functools.partial(self.request.recv, 1),
        ]
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        self.server.notes.write("waits")
        self.server.notes.write(f"read {list(map(operator.call, calls))[-1]!r}")


class IsToldToEndWhileItLeaves(servers.BaseRequestHandler):
    def handle(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: self.server.notes.write("disturbed"))
        sys.stdout = self  # flushed by a child that leaves

    def flush(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        self.server.notes.write("flushed")


@each(FORKING_STREAM)
def test_a_child_that_leaves_is_not_disturbed_by_being_told_to_end(place: Place, kind: Any) -> None:
    server = place.start(kind, IsToldToEndWhileItLeaves, TellsExits)

    place.connect(server)

    assert [place.notes.read() for _ in range(2)] == ["flushed", "exit 0"]


@only_linux
@each(FORKING_STREAM)
def test_a_child_that_is_about_to_block_when_it_is_told_to_end_is_told_again(place: Place, kind: Any) -> None:
    server = place.start(kind, NoticesTooLate)
    place.connect(server)
    assert place.notes.read() == "waits"
    only_child(server)

    server.end_requests(how=socket.SHUT_RD)

    assert server.wait_for_requests(DEADLINE) == []
    assert place.notes.read() == "read b''"


@each(FORKING_STREAM)
def test_a_child_that_is_busy_when_it_is_told_to_end_notices_when_it_reads(place: Place, kind: Any) -> None:
    class Busy(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.server.notes.write("busy")
            while not told[0]:
                pass  # no system call
            self.server.notes.write(f"read {self.request.recv(1)!r}")

    with mmap.mmap(-1, 1) as told:
        server = place.start(kind, Busy)
        place.connect(server)
        assert place.notes.read() == "busy"
        only_child(server)

        server.end_requests(how=socket.SHUT_RD)
        told[0] = 1

        assert server.wait_for_requests(DEADLINE) == []
        assert place.notes.read() == "read b''"


class Stuck(servers.BaseRequestHandler):
    def handle(self) -> None:
        self.server.notes.write("stuck")
        threading.Event().wait(60)


@each(FORKING)
def test_a_child_that_does_not_end_is_killed_and_named(place: Place, kind: Any) -> None:
    server = place.start(kind, Stuck, TellsExits, stop_timeout=0.1)
    poke(place.connect(server))
    assert place.notes.read() == "stuck"
    pid = only_child(server)

    with ends_in_time(), pytest.raises(StillRunning, match=f"process {pid} for "):
        server.server_close()

    assert place.notes.read() == f"exit -{signal.SIGKILL.value}"
    assert server.active_children == set()


@each(FORKING)
def test_without_block_on_close_children_are_left_alone(place: Place, kind: Any) -> None:
    class WaitsForTheTest(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.server.notes.write("waits")
            os.read(reader, 1)

    reader, writer = os.pipe()
    server = place.start(kind, WaitsForTheTest, TellsExits, block_on_close=False)
    poke(place.connect(server))
    assert place.notes.read() == "waits"

    server.server_close()

    assert not any("pidfd" in what for what in descriptors().values())
    assert len(server.active_children) == 1
    os.write(writer, b"!")
    assert server.wait_for_requests(DEADLINE) == []
    assert place.notes.read() == "exit 0"
    os.close(reader)
    os.close(writer)


@each(STREAM + DATAGRAM)
def test_server_close_in_a_forked_process_leaves_the_parent_serving(place: Place, kind: Any) -> None:
    server = place.start(kind)
    client = place.connect(server)
    assert ask(client) == b"hello\n"

    assert ended_well(forked(server.server_close))

    assert ask(client) == b"hello\n"
    client.close()
    assert ask(place.connect(server)) == b"hello\n"


@each(FORKING_STREAM)
def test_a_fork_in_the_handler_of_a_child_finishes_in_the_grandchild(place: Place, kind: Any) -> None:
    class ForksAgain(servers.StreamRequestHandler):
        def handle(self) -> None:
            if os.fork() == 0:
                os.read(reader, 1)
                self.wfile.write(b"from the grandchild")

    reader, writer = os.pipe()
    server = place.start(kind, ForksAgain, TellsExits)
    client = place.connect(server)
    assert place.notes.read() == "exit 0"

    os.write(writer, b"!")

    assert rest_of(client) == b"from the grandchild"
    os.close(reader)
    os.close(writer)


@each(FORKING)
def test_a_childs_signals_are_no_news_for_the_parents_event_loop(place: Place, kind: Any) -> None:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    before = signal.set_wakeup_fd(theirs.fileno())
    try:
        server = place.start(kind, Stuck, stop_timeout=0.1)
        poke(place.connect(server))
        assert place.notes.read() == "stuck"
        with pytest.raises(StillRunning):
            server.server_close()
    finally:
        signal.set_wakeup_fd(before)
    with pytest.raises(BlockingIOError):
        ours.recv(1)
    ours.close()
    theirs.close()


def test_the_output_of_a_child_is_written_once(place: Place) -> None:
    script = """if True:
        import socket, threading
        from windsock import servers
        class Prints(servers.BaseRequestHandler):
            def handle(self):
                print("in the child")
        with servers.ForkingTCPServer(("127.0.0.1", 0), Prints) as server:
            print("in the parent")
            with socket.create_connection(server.server_address, 10) as client:
                server.handle_request()
                client.recv(1)
    """

    assert run_python(script).splitlines() == ["in the parent", "in the child"]
