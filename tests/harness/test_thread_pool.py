"""Threads of serve loops that run one loop after the other; every request gets a thread of its own."""

from __future__ import annotations

import contextvars
import decimal
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import windsock
from tests.support.servers import ask, connect, rest_of
from tests.support.waiting import DEADLINE, wait_until
from windsock import servers
from windsock.harness import ThreadPool

IDLE = 2
IDLE_NAME = "windsock (idle)"
EARLIER: list[threading.Thread] = []
"""The threads from before the test."""


@pytest.fixture(autouse=True)
def untraced() -> Iterator[None]:
    """Have new threads be as they are where nobody measures coverage, or none is used again."""
    trace, profile = threading.gettrace(), threading.getprofile()
    threading.settrace(None)
    threading.setprofile(None)
    EARLIER[:] = threading.enumerate()
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

    def task() -> None:
        found.append(threading.get_native_id())
        work()

    thread_pool.start(task, "a task").join(DEADLINE)
    return found[0]


def idle() -> list[threading.Thread]:
    """Return the idle threads of the test, without those of a pool that other tests share."""
    return [each for each in threading.enumerate() if each.name == IDLE_NAME and each not in EARLIER]


def nothing() -> None:
    pass


# --- one thread for several tasks


def test_a_thread_runs_one_task_after_the_other(thread_pool: ThreadPool) -> None:
    assert do(thread_pool, nothing) == do(thread_pool, nothing)
    assert len(idle()) == 1


def test_a_thread_has_the_name_of_its_task(thread_pool: ThreadPool) -> None:
    names = []

    def note_name() -> None:
        names.append(threading.current_thread().name)

    thread_pool.start(note_name, "first").join(DEADLINE)
    thread_pool.start(note_name, "second").join(DEADLINE)

    assert names == ["first", "second"]


def test_no_more_are_kept_than_were_asked_for(thread_pool: ThreadPool) -> None:
    together = threading.Barrier(IDLE + 3)

    def meet() -> None:
        together.wait(DEADLINE)

    tasks = [thread_pool.start(meet, "a task") for _ in range(IDLE + 3)]
    for task in tasks:
        task.join(DEADLINE)

    assert len(idle()) == IDLE


def test_an_idle_thread_ends_after_its_time() -> None:
    do(ThreadPool(most=1, seconds=0.05), nothing)

    wait_until(lambda: not idle(), "the idle thread to end")


def test_a_pool_that_keeps_none_starts_a_thread_for_each_task() -> None:
    pool = ThreadPool()
    seen: list[threading.Thread] = []

    for _ in range(2):
        do(pool, lambda: seen.append(threading.current_thread()))

    assert seen[0] is not seen[1]
    assert idle() == []


def test_context_variables_are_those_of_one_task(thread_pool: ThreadPool) -> None:
    variable = contextvars.ContextVar("variable", default="none")
    seen: list[object] = []

    def look() -> None:
        seen.append((variable.get(), decimal.getcontext().prec))
        variable.set("set")
        decimal.getcontext().prec = 3

    assert do(thread_pool, look) == do(thread_pool, look)
    assert seen == [("none", 28)] * 2


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
    monkeypatch.setattr(threading, "excepthook", lambda args: reports.append((args.thread.name, args.exc_value)))

    def fail() -> None:
        raise error

    do(thread_pool, fail)

    assert reports == [("a task", error)]
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

LOCAL = threading.local()


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


@pytest.mark.parametrize("concurrency", ["threading", "forking"])
def test_servers_with_one_pool_use_each_others_loop_threads(thread_pool: ThreadPool, concurrency: str) -> None:
    loops = set()
    for _ in range(3):
        with windsock.serving(Once, concurrency=concurrency, _thread_pool=thread_pool) as server:
            assert thread_of_request(server)
            loops |= {
                each.native_id for each in threading.enumerate() if each.name.startswith(f"windsock {concurrency}")
            }

    assert len(loops) == len(idle()) == 1


class Noting(servers.ThreadingTCPServer):
    def verify_request(self, request: Any, client_address: Any) -> bool:
        LOCAL.value = "left"
        return True


@pytest.mark.parametrize("what", [{"concurrency": "sync"}, {"concurrency": "selecting"}, Noting])
def test_a_loop_that_runs_code_of_the_test_has_a_thread_of_its_own(thread_pool: ThreadPool, what: Any) -> None:
    arguments, options = ((Once,), what) if isinstance(what, dict) else ((what, Once), {})
    with windsock.serving(*arguments, _thread_pool=thread_pool, **options) as server:
        assert thread_of_request(server)

    assert idle() == []


@pytest.mark.parametrize("concurrency", ["threading", "sync", "selecting"])
def test_a_handler_leaves_nothing_to_the_next_request_or_server(thread_pool: ThreadPool, concurrency: str) -> None:
    seen = []

    def handler(request: Any, client_address: Any, server: Any) -> None:
        seen.append(getattr(LOCAL, "value", None))
        LOCAL.value = "left"

    for _ in range(2):
        with (
            windsock.serving(handler, concurrency=concurrency, _thread_pool=thread_pool) as server,
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # the handler's own
def test_a_handler_that_forks_ends_in_the_child(thread_pool: ThreadPool) -> None:
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


def test_an_outage_leaves_the_thread_to_be_used_afterwards(thread_pool: ThreadPool) -> None:
    with windsock.serving(_thread_pool=thread_pool).echo() as server:
        with server.outage():
            assert len(idle()) == 1
        assert ask(server, b"hello") == [b"hello"]
