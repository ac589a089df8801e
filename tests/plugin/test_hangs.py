"""A hang ends, the failure says where everyone stood, and the run goes on: in every mode of pytest-timeout."""

from __future__ import annotations

import threading

import pytest

from pytest_windsock import past_threads
from pytest_windsock.fixtures import State
from tests.plugin.conftest import Run
from tests.support.waiting import DEADLINE

MODES = {
    "no pytest-timeout": ["-o", "windsock_hang_timeout=1", "-p", "no:timeout"],
    "signal": ["--timeout=2", "--timeout-method=signal"],
    "thread": ["--timeout=2", "--timeout-method=thread"],
    "signal, workers": ["--timeout=2", "--timeout-method=signal", "-n2"],
    "thread, workers": ["--timeout=2", "--timeout-method=thread", "-n2"],
}

HANGS = """
    import asyncio, socket, threading, time
    import pytest, trio
    from windsock import servers

    class Silent(servers.StreamRequestHandler):
        released = threading.Event()

        def handle(self):
            self.request.recv(1)
            self.released.wait(20)

    @pytest.fixture
    def released():
        yield
        Silent.released.set()

    @pytest.mark.windsock(handler=Silent)
    def test_client(tcp_server, released):
        with socket.create_connection(tcp_server.address) as client:
            client.sendall(b"x")
            answer = client.recv(1)
        Silent.released.set()
        assert answer == b"y"

    class SilentChild(Silent):
        released = threading.Event()

    @pytest.mark.windsock(handler=SilentChild)
    def test_client_of_a_child(forking_tcp_server):
        with socket.create_connection(forking_tcp_server.address) as client:
            client.sendall(b"x")
            answer = client.recv(2)
        assert answer == b"y"

    def test_busy(tcp_server):
        while True:
            pass

    def test_lock(udp_server):
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()

    def test_retry(tcp_server):
        while True:
            try:
                with socket.create_connection(tcp_server.address) as client:
                    client.recv(1)
            except OSError:
                pass

    def test_asyncio(tcp_server):
        async def main():
            await asyncio.sleep(60)

        asyncio.run(main())

    def test_trio(tcp_server):
        async def main():
            await trio.sleep(60)

        trio.run(main)

    @pytest.fixture
    def slow(tcp_server):
        yield
        time.sleep(60)

    def test_teardown_behind_a_failure(slow):
        assert not "mine"

    def test_next(tcp_server):
        pass
"""


@pytest.mark.parametrize("mode", MODES)
def test_every_hang_ends_and_the_run_goes_on(run_apart: Run, mode: str) -> None:
    result = run_apart(HANGS, *MODES[mode], "-p", "no:randomly", "-o", "windsock_hang_timeout=1")

    result.assert_outcomes(failed=8, errors=1, passed=1)
    result.stdout.fnmatch_lines_random(
        [
            "*the test stood at *in test_client: answer = client.recv(1)",
            "*in handle: self.released.wait(20)",
            "*the test stood at *in test_client_of_a_child: answer = client.recv(2)",
            "*process * in handle: self.released.wait(20)",
            "*the test stood at *in test_busy: *",
            "*the test stood at *in test_lock: lock.acquire()",
            "*the test stood at *in test_retry: *",
            "*the test stood at *in main: await asyncio.sleep(60)",
            "*the test stood at *in main: await trio.sleep(60)",
            "*the test stood at *in slow: time.sleep(60)",
        ]
    )


def test_a_limit_of_zero_is_none(run: Run) -> None:
    result = run(
        """
        import time

        def test_it(tcp_server):
            time.sleep(0.2)
        """,
        "-o",
        "windsock_hang_timeout=0",
        "-p",
        "no:timeout",
    )

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "soon"])
def test_a_limit_that_is_none_is_refused(run_apart: Run, value: str) -> None:
    result = run_apart("def test_it(): pass", "-o", f"windsock_hang_timeout={value}")

    result.stderr.fnmatch_lines(["ERROR: windsock_hang_timeout: expected seconds, or 0 for no limit;*"])


def test_threads_of_earlier_tests_are_not_named(run_apart: Run) -> None:
    result = run_apart(
        """
        import socket, threading, time
        import pytest

        def linger():
            time.sleep(20)

        def start(name):
            threading.Thread(target=linger, name=name, daemon=True).start()

        @pytest.fixture(scope="module")
        def application():
            start("of the module")

        def test_before(application):
            start("of another test")

        def test_it(application, tcp_server):
            start("of this test")
            with socket.create_connection(tcp_server.address) as client:
                client.recv(1)
        """,
        "-p",
        "no:randomly",
        *MODES["no pytest-timeout"],
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines_random(
        ["*thread 'of this test': *in linger: time.sleep(20)", "*thread 'of the module': *in linger: time.sleep(20)"]
    )
    result.stdout.no_fnmatch_line("*of another test*in linger*")


def test_a_thread_with_the_identifier_of_an_ended_one_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = past_threads.before_body()
    released = threading.Event()
    ended = threading.Thread(target=released.wait, args=[DEADLINE])
    ended.start()
    past_threads.note(before)
    monkeypatch.setattr(State, "began", State.began + 1)
    assert ended.ident in past_threads.idents()

    released.set()
    ended.join(DEADLINE)
    released.clear()
    others = [threading.Thread(target=released.wait, args=[DEADLINE]) for _ in range(20)]
    for each in others:
        each.start()
    found = past_threads.idents()
    released.set()
    for each in others:
        each.join(DEADLINE)

    assert ended.ident in [each.ident for each in others], "the identifier was not used again"
    assert ended.ident not in found
