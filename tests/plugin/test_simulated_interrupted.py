"""Debuggers and pytest-timeout in a simulated world."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Run
from tests.plugin.test_debuggers import debug

HEAD = """
import socket
import socketserver
import threading
import time

import pytest

from windsock.simulation import standstill

standstill.INTERVAL = 0.2
simulated = pytest.mark.windsock(simulated=True)
REAL_SLEEP = [time.sleep]  # in a list no world finds it


class Stops(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(1)
        breakpoint()
        self.request.sendall(b"y")


def ask(address):
    with socket.create_connection(address, timeout=50) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"y"


def test_later(tcp_server):
    before = time.monotonic()
    tcp_server.on(b"x").reply(b"y")
    ask(tcp_server.address)
    time.sleep(0.001)
    assert 0.001 <= time.monotonic() - before < 60
"""


@pytest.mark.usefixtures("run_apart")
def test_a_breakpoint_stops_the_world(pytester: pytest.Pytester) -> None:
    code = """
@simulated
def test_it(tcp_server, world):
    tcp_server.on(b"x").reply(b"y", delay=5)
    breakpoint()
    ask(tcp_server.address)
    assert world.now == 8
"""
    commands = b"REAL_SLEEP[0](1)\ntime.sleep(3)\np 'it is', world.now\nc\n"
    result = debug(pytester, f"{HEAD}\n{code}", commands, "-p", "no:randomly")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*('it is', 3.0)*"])


@pytest.mark.usefixtures("run_apart")
def test_a_breakpoint_in_a_handler_is_no_standstill(pytester: pytest.Pytester) -> None:
    code = """
@simulated
def test_it(serve, world):
    ask(serve(Stops).address)
    assert world.now == 3
"""
    commands = b"REAL_SLEEP[0](2)\ntime.sleep(3)\nc\n"
    result = debug(pytester, f"{HEAD}\n{code}", commands, "-p", "no:randomly", "-o", "windsock_hang_timeout=1")

    result.assert_outcomes(passed=2)


@pytest.mark.usefixtures("run_apart")
def test_pdb_looks_at_a_failure_while_the_world_is_there(pytester: pytest.Pytester) -> None:
    code = """
@simulated
def test_it(tcp_server, world):
    time.sleep(7)
    with socket.create_connection(tcp_server.address, timeout=50) as client:
        client.recv(1)
"""
    commands = b"p 'it is', world.now\np 'open', tcp_server.is_running\nc\n"
    result = debug(pytester, f"{HEAD}\n{code}", commands, "-p", "no:randomly", "--pdb")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*TimeoutError: timed out*", "*('it is', 57.0)*", "*('open', True)*"])


STANDING = {
    "outside": """
    with world.outside():
        time.sleep(1000)
""",
    "a loop": """
    while True:
        pass
""",
    "a loop in a thread": """
    threading.Thread(target=spin).start()
    time.sleep(1)
""",
    "a loop in virtual time": """
    while True:
        time.sleep(1)
""",
}


@pytest.mark.parametrize("method", ["signal", "thread"])
@pytest.mark.parametrize("body", STANDING.values(), ids=STANDING)
def test_pytest_timeout_ends_a_test_whose_world_stands_still(run_apart: Run, method: str, body: str) -> None:
    code = f"""
is_over = []

def spin():
    while not is_over:
        pass

@simulated
@pytest.mark.timeout(1, method={method!r})
def test_it(tcp_server, world):{body}

@pytest.fixture(autouse=True)
def end():
    is_over.clear()
    yield
    is_over.append(True)
"""
    result = run_apart(HEAD + code, "-p", "no:randomly")

    assert result.parseoutcomes()["failed"] == 1
    assert result.parseoutcomes()["passed"] == 1
    result.stdout.fnmatch_lines(["*the test hung: it was not over after 1 s*"])
