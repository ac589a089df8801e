"""A deadlock of a simulated test is its only failure: what follows from it is not shown."""

from __future__ import annotations

import re

from tests.plugin.conftest import Run

CODE = """
import socket
import threading

import pytest
import trio

import windsock
from windsock.servers import BaseRequestHandler

pytestmark = pytest.mark.windsock(simulated=True)


class Blocking(BaseRequestHandler):
    def handle(self):
        self.request.recv(1)
        self.server.lock.acquire()  # never released


class InTask(BaseRequestHandler):
    async def handle(self):
        await self.stream.receive_some()
        self.server.lock.acquire()  # never released


class InThread(BaseRequestHandler):
    async def handle(self):
        await self.stream.receive_some()
        await trio.to_thread.run_sync(lambda: self.server.lock.acquire())  # never released


EACH = [("sync", Blocking), ("threading", Blocking), ("selecting", Blocking), ("trio", Blocking)]
EACH += [("trio", InTask), ("trio", InThread)]


def ask(server):
    server.server.lock = threading.Lock()
    server.server.lock.acquire()
    with socket.create_connection(server.address) as client:
        client.sendall(b"x")
        client.recv(1)


@pytest.mark.parametrize(("concurrency", "handler"), EACH)
def test_fixture(serve, concurrency, handler):
    ask(serve(handler, concurrency=concurrency))


@pytest.mark.parametrize(("concurrency", "handler"), EACH)
def test_context(concurrency, handler, world):
    with windsock.serving(handler=handler, concurrency=concurrency) as server:
        ask(server)
"""


def test_a_stuck_handler_is_a_deadlock_and_nothing_else(run: Run) -> None:
    result = run(CODE)

    result.assert_outcomes(failed=12)
    text = result.stdout.str() + result.stderr.str()
    assert text.count("Deadlock: all threads of the simulated world wait") == 12
    assert text.count("waits for a lock held by main, since 0 s, at test_") == 12
    assert "WorldOver" not in text
    assert "StillRunning" not in text
    assert "Exception occurred" not in text


def test_servers_of_another_world_are_not_in_a_report(run: Run) -> None:
    code = """
    import socket
    import pytest
    import windsock

    kept = []

    @pytest.mark.parametrize("number", range(3))
    @pytest.mark.windsock(simulated=True)
    def test_it(world, number):
        kept.append(windsock.serving(name=f"server {number}"))
        with kept[-1] as server:
            socket.create_connection(server.address).close()
        assert False

    def test_on_the_kernel(tcp_server):
        assert False
    """
    result = run(code, "-p", "no:randomly")

    result.assert_outcomes(failed=4)
    shown = re.findall(r"^-+ windsock: (.+?),", result.stdout.str(), re.MULTILINE)
    assert shown == ["server 0", "server 1", "server 2", "tcp_server"]


def test_a_deadlock_that_the_client_has_swallowed_fails_the_test_itself(run: Run) -> None:
    result = run(
        """
        import socket
        import pytest
        import windsock

        pytestmark = pytest.mark.windsock(simulated=True)

        class Client:
            def get(self, address):
                try:
                    with socket.create_connection(address) as connection:
                        return connection.recv(100)
                except Exception:
                    return None

        def test_passes_by_mistake(tcp_server):
            assert Client().get(tcp_server.address) is None

        def test_fails_later(tcp_server):
            assert Client().get(tcp_server.address) == b"hello"

        def test_means_it(tcp_server):
            with socket.create_connection(tcp_server.address) as connection, pytest.raises(windsock.Deadlock):
                connection.recv(100)
        """
    )

    result.assert_outcomes(failed=2, passed=1)
    caught = "E * Client.get() in *.py caught this Deadlock along with other errors, and went on; a test that expects*"
    result.stdout.fnmatch_lines(["> *return connection.recv(100)", "E *Deadlock: all threads*", caught])
    result.stdout.fnmatch_lines(["E *AssertionError: assert None == b'hello'", "E *earlier: all threads*", caught])


def test_an_outcome_of_pytest_after_one_was_swallowed_is_the_tests_only_one(run: Run) -> None:
    result = run(
        """
        import socket
        import pytest

        pytestmark = pytest.mark.windsock(simulated=True)

        @pytest.mark.parametrize("end", [pytest.fail, pytest.skip, pytest.xfail])
        def test_it(tcp_server, end):
            try:
                with socket.create_connection(tcp_server.address) as connection:
                    connection.recv(100)
            except Exception:
                pass
            end("no reply")

        def test_sub(tcp_server, subtests):
            with subtests.test("one"), socket.create_connection(tcp_server.address) as connection:
                connection.recv(100)
        """
    )

    outcomes = result.parseoutcomes()
    assert outcomes.get("errors", 0) == 0
    assert (outcomes["skipped"], outcomes["xfailed"]) == (1, 1)
    result.stdout.fnmatch_lines(["E *Failed: no reply", "E *earlier: all threads of the simulated world wait*"])
    assert result.stdout.str().count("errors.Deadlock: all threads") == 1
