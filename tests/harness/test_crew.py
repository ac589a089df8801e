"""Threads that do one job after the other: only if a new one would do it in just the same way."""

from __future__ import annotations

import asyncio
import contextvars
import decimal
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import windsock
from tests.harness.helpers import DEADLINE, ask, connect, rest_of
from tests.servers.helpers import wait_until
from windsock import servers
from windsock.harness import ThreadPool
from windsock.harness.thread_pool import IDLE, Lease

IDLE_NAME = "windsock (idle)"


@pytest.fixture(autouse=True)
def untraced() -> Iterator[None]:
    """Have new threads be as they are where nobody measures coverage, or none is used again."""
    trace, profile = threading.gettrace(), threading.getprofile()
    threading.settrace(None)
    threading.setprofile(None)
    yield
    threading.settrace(trace)
    threading.setprofile(profile)


@pytest.fixture
def thread_pool() -> Iterator[ThreadPool]:
    thread_pool = ThreadPool(most=IDLE, seconds=DEADLINE)
    yield thread_pool
    thread_pool.close()


def do(thread_pool: ThreadPool, work: Callable[[], object]) -> int:
    """Have it done, and wait for the end; return the thread's number, which is the kernel's."""
    found = []

    def job() -> None:
        found.append(threading.get_native_id())
        work()

    Lease(thread_pool).start(job, "a job").join(DEADLINE)
    return found[0]


def idle() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == IDLE_NAME]


def nothing() -> None:
    pass


# --- one thread for several jobs


def test_a_thread_does_one_job_after_the_other(thread_pool: ThreadPool) -> None:
    assert do(thread_pool, nothing) == do(thread_pool, nothing) == do(thread_pool, lambda: repr([1]))
    assert len(idle()) == 1


def test_a_thread_has_the_name_of_its_job(thread_pool: ThreadPool) -> None:
    names = []

    def note_name() -> None:
        names.append(threading.current_thread().name)

    Lease(thread_pool).start(note_name, "first").join(DEADLINE)
    Lease(thread_pool).start(note_name, "second").join(DEADLINE)

    assert names == ["first", "second"]


def test_no_more_are_kept_than_were_asked_for(thread_pool: ThreadPool) -> None:
    together = threading.Barrier(IDLE + 3)

    def meet() -> None:
        together.wait(DEADLINE)

    jobs = [Lease(thread_pool).start(meet, "a job") for _ in range(IDLE + 3)]
    for job in jobs:
        job.join(DEADLINE)

    assert len(idle()) == IDLE


def test_an_idle_thread_ends_after_its_time() -> None:
    do(ThreadPool(most=1, seconds=0.05), nothing)

    wait_until(lambda: not idle(), "the idle thread to end")


# --- what a job leaves behind

LOCAL = threading.local()


class Counts(threading.local):
    """Has an attribute in each thread from the start."""

    def __init__(self) -> None:
        self.count = 0


COUNTS = Counts()


def set_a_value() -> None:
    LOCAL.value = 1


def use_a_subclass() -> None:
    COUNTS.count += 1


def set_an_event_loop() -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.close()


def run_asyncio() -> None:
    asyncio.run(asyncio.sleep(0))


def run_trio() -> None:
    import trio

    trio.run(trio.sleep, 0)


def trace() -> None:
    sys.settrace(lambda *_: None)


def profile() -> None:
    sys.setprofile(lambda *_: None)


def block_a_signal() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])


def set_an_attribute() -> None:
    threading.current_thread().user = "me"  # type: ignore[attr-defined]  # as people do


LEAVINGS = [
    set_a_value,
    use_a_subclass,
    set_an_event_loop,
    run_asyncio,
    run_trio,
    trace,
    profile,
    block_a_signal,
    set_an_attribute,
]


@pytest.mark.parametrize("leave", LEAVINGS)
@pytest.mark.parametrize("is_new", [True, False])
def test_a_thread_in_which_something_was_left_does_no_other_job(
    thread_pool: ThreadPool, leave: Callable[[], None], is_new: bool
) -> None:
    if not is_new:
        do(thread_pool, nothing)

    do(thread_pool, leave)

    assert idle() == []


def test_a_value_ends_with_its_job_as_it_would_with_a_new_thread(thread_pool: ThreadPool) -> None:
    ends = []

    class Connection:
        def __del__(self) -> None:
            ends.append(threading.get_native_id())

    def connect() -> None:
        LOCAL.connection = Connection()

    number = do(thread_pool, connect)

    assert ends == [number]


def test_context_variables_are_those_of_one_job(thread_pool: ThreadPool) -> None:
    variable = contextvars.ContextVar("variable", default="none")
    seen: list[object] = []

    def look() -> None:
        seen.append((variable.get(), decimal.getcontext().prec))
        variable.set("set")
        decimal.getcontext().prec = 3

    assert do(thread_pool, look) == do(thread_pool, look)
    assert seen == [("none", 28)] * 2


def test_a_thread_whose_object_was_kept_can_be_waited_for(thread_pool: ThreadPool) -> None:
    kept = []
    do(thread_pool, nothing)

    do(thread_pool, lambda: kept.append(threading.current_thread()))

    kept[0].join(DEADLINE)
    assert not kept[0].is_alive()
    assert idle() == []


def test_where_nobody_can_tell_what_was_left_all_threads_are_new(
    thread_pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)

    do(thread_pool, nothing)

    assert idle() == []


def test_where_threads_are_traced_all_of_them_are_new(thread_pool: ThreadPool) -> None:
    seen = []
    number = do(thread_pool, nothing)

    threading.settrace(lambda *_: seen.append(threading.get_native_id()))
    other = do(thread_pool, nothing)

    assert other != number
    assert set(seen) == {other}


@pytest.mark.parametrize("error", [LookupError("at the end"), KeyboardInterrupt()])
def test_an_exception_ends_the_thread_as_any_other(
    thread_pool: ThreadPool, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[tuple[str | None, BaseException | None]] = []
    monkeypatch.setattr(
        threading,
        "excepthook",
        lambda args: reports.append((args.thread.name, args.exc_value)),
    )

    def fail() -> None:
        raise error

    do(thread_pool, fail)

    assert reports == [("a job", error)]
    assert idle() == []
    do(thread_pool, nothing)


def test_system_exit_ends_the_thread_in_silence(
    thread_pool: ThreadPool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)  # pytest's own is not silent

    do(thread_pool, sys.exit)

    assert idle() == []
    assert capfd.readouterr() == ("", "")


# --- servers


class Once(servers.BaseRequestHandler):
    """Says which thread it is."""

    def handle(self) -> None:
        self.request.sendall(b"%d" % threading.get_native_id())


def thread_of_request(server: windsock.RunningServer) -> bytes:
    """Have one request handled, and wait until its thread has nothing left to do."""
    with connect(server) as client:
        answer = rest_of(client)
    assert server.server.wait_for_requests(DEADLINE) == []
    return answer


def test_a_server_in_a_test_uses_the_threads_of_requests_again() -> None:
    with windsock.serving(Once) as server:
        assert thread_of_request(server) == thread_of_request(server)

    assert idle() == []


def test_servers_of_one_crew_use_each_others_threads(thread_pool: ThreadPool) -> None:
    numbers = set()
    for _ in range(3):
        with windsock.serving(Once, _thread_pool=thread_pool) as server:
            numbers.add(thread_of_request(server))

    assert len(idle()) == IDLE
    assert len(numbers) < 3


def test_a_handler_in_the_loops_thread_leaves_nothing_to_the_next_server(thread_pool: ThreadPool) -> None:
    seen = []

    def handler(request: Any, client_address: Any, server: Any) -> None:
        seen.append(getattr(LOCAL, "value", None))
        LOCAL.value = "left"

    for _ in range(2):
        with (
            windsock.serving(handler, concurrency="sync", _thread_pool=thread_pool) as server,
            connect(server) as client,
        ):
            assert rest_of(client) == b""

    assert seen == [None, None]


def test_a_server_on_its_own_has_a_new_thread_for_each_request() -> None:
    numbers = []

    class Notes(servers.BaseRequestHandler):
        def handle(self) -> None:
            numbers.append(threading.get_native_id())

    with servers.ThreadingTCPServer(("127.0.0.1", 0), Notes) as server:
        for _ in range(2):
            with socket.create_connection(server.server_address):
                server.handle_request()
                assert server.wait_for_requests(DEADLINE) == []

    assert len(set(numbers)) == 2


def test_a_server_with_threads_of_its_own_class_keeps_them() -> None:
    class Mine(threading.Thread):
        pass

    class Server(servers.ThreadingTCPServer):
        thread_class = Mine

    kinds = []

    class Notes(servers.BaseRequestHandler):
        def handle(self) -> None:
            kinds.append(type(threading.current_thread()))

    with windsock.serving(Server, Notes) as server, connect(server) as client:
        assert rest_of(client) == b""

    assert kinds == [Mine]


def test_threads_that_are_no_daemons_are_new() -> None:
    seen = []

    class Notes(servers.BaseRequestHandler):
        def handle(self) -> None:
            seen.append(threading.current_thread().daemon)

    with windsock.serving(Notes) as server:
        server.server.daemon_threads = False
        with connect(server) as client:
            assert rest_of(client) == b""
        assert server.server.wait_for_requests(DEADLINE) == []
        assert idle() == []

    assert seen == [False]


def test_a_burst_of_clients_leaves_no_more_than_a_few_idle_threads() -> None:
    together = threading.Barrier(64)

    class Together(servers.BaseRequestHandler):
        def handle(self) -> None:
            together.wait(DEADLINE)
            self.request.sendall(b"!")

    with windsock.serving(Together) as server:
        clients = [connect(server) for _ in range(64)]
        for client in clients:
            assert rest_of(client) == b"!"
            client.close()
        assert server.server.wait_for_requests(DEADLINE) == []
        assert len(idle()) <= IDLE

    assert idle() == []


def test_a_thread_that_would_not_end_is_named_and_does_no_other_job(thread_pool: ThreadPool) -> None:
    go = threading.Event()
    threads = []

    def handler(request: Any, client_address: Any, server: Any) -> None:
        threads.append(threading.get_ident())
        threading.current_thread().name = "the stubborn one"
        request.sendall(b"!")
        go.wait(DEADLINE)

    server = windsock.serving(handler, timeout=0.3, _thread_pool=thread_pool)
    with connect(server) as client:
        assert client.recv(1) == b"!"
        with pytest.raises(windsock.StillRunning, match="still running: thread 'the stubborn one'"):
            server.stop()
    go.set()
    assert server.server.wait_for_requests(DEADLINE) == []

    assert threads[0] not in [each.ident for each in threading.enumerate()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # the handler's own
def test_a_handler_that_forks_in_a_thread_of_a_crew_ends_in_the_child(thread_pool: ThreadPool) -> None:
    statuses = []

    def handler(request: Any, client_address: Any, server: Any) -> None:
        pid = os.fork()
        if pid:
            statuses.append(os.waitpid(pid, 0)[1])
        else:
            request.sendall(b"from the child")

    with windsock.serving(handler, _thread_pool=thread_pool) as server:
        for _ in range(2):
            with connect(server) as client:
                assert rest_of(client) == b"from the child"
            assert server.server.wait_for_requests(DEADLINE) == []

    assert statuses == [0, 0]


def test_an_outage_leaves_the_threads_to_be_used_afterwards(thread_pool: ThreadPool) -> None:
    with windsock.serving(_thread_pool=thread_pool) as server:
        server.echo()
        with server.outage():
            assert idle() != []
        assert ask(server, b"hello") == [b"hello"]
