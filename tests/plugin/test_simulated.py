"""`simulated=True`: a test and its fixtures in a world of their own."""

from __future__ import annotations

import re
from itertools import takewhile

import pytest

from tests.plugin.conftest import Run

HEAD = """
    import socket, threading, time
    import pytest
    from windsock import faults
    simulated = pytest.mark.windsock(simulated=True)

    def ask(address):
        with socket.create_connection(address, timeout=50) as sock:
            sock.sendall(b"ping\\n")
            return sock.recv(100)
"""


def test_a_marked_test_and_its_fixtures_are_in_a_world(run: Run) -> None:
    code = """
    @simulated
    def test_server(tcp_server, world):
        tcp_server.on(b"ping\\n").reply(b"pong\\n")
        time.sleep(300)
        assert ask(tcp_server.address) == b"pong\\n"
        assert world.now == 300

    @simulated
    def test_factories(serve, scripted_client, fault_proxy, world):
        server = serve()
        server.on(b"ping\\n").reply(b"pong\\n")
        client = scripted_client(fault_proxy(server.address, faults=[faults.Delay(20)]).address, timeout=99)
        client.send(b"ping\\n")
        client.expect(b"pong\\n")
        assert 40 <= world.now < 41

    @simulated
    def test_udp(udp_server):
        udp_server.echo()
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.sendto(b"x", udp_server.address)
            assert sock.recv(9) == b"x"

    @pytest.fixture(scope="module")
    def outside():
        return time.monotonic()

    @simulated
    def test_wider_fixtures_are_not(outside):
        assert time.monotonic() == 1000.0 != outside

    def test_unmarked(tcp_server):
        before = time.monotonic()
        tcp_server.on(b"ping\\n").reply(b"pong\\n")
        assert ask(tcp_server.address) == b"pong\\n"
        assert tcp_server.address[1] != 32768 and before != 1000.0
    """
    run(HEAD + code).assert_outcomes(passed=5)


def test_every_kind_of_server_runs_in_a_world_but_forking_ones(run: Run) -> None:
    code = """
    @pytest.mark.windsock(simulated=True, transports=["tcp", "unix_stream", "udp"], tls=False)
    def test_it(any_server):
        any_server.on(b"ping\\n").reply(b"pong\\n")
        with any_server.connect() as client:
            client.send(b"ping\\n")
            client.expect(b"pong\\n")
    """
    result = run(HEAD + code, "-rs")

    result.assert_outcomes(passed=12, skipped=3)
    result.stdout.fnmatch_lines(["*concurrency='forking' needs processes, which a simulated world does not have"])


def test_a_failure_shows_virtual_seconds_and_how_to_replay_it(run: Run) -> None:
    code = """
    @simulated
    def test_it(tcp_server, windsock_seed, world):
        assert world.seed == windsock_seed
        tcp_server.on(b"ping\\n").reply(b"pong\\n")
        time.sleep(7)
        ask(tcp_server.address)
        time.sleep(2)
        assert False
    """
    result = run(HEAD + code, "--windsock-seed=5")

    text = result.stdout.str()
    assert re.search(r"simulated; to replay it: pytest --windsock-seed=5 'test_\w+\.py::test_it'", text)
    assert re.search(r"^\+2\.0000 --- the test's body ended: AssertionError$", text, re.MULTILINE)


def test_what_happens_in_the_last_moment_of_a_test_is_before_its_end(run: Run) -> None:
    code = """
    @simulated
    def test_it(tcp_server):
        tcp_server.on(b"ping\\n").reply(b"pong\\n")
        with socket.create_connection(tcp_server.address) as sock:
            time.sleep(3)
            sock.sendall(b"ping\\n")
            assert sock.recv(100) == b"pong\\n"
        time.sleep(2)
        with socket.create_connection(tcp_server.address) as sock:
            sock.sendall(b"ping\\n")
            assert sock.recv(100) == b""
    """
    lines = [line for line in run(HEAD + code).outlines if re.match(r"\+\d", line)]

    (end,) = (number for number, line in enumerate(lines) if "the test's body ended" in line)
    assert "+5.0000 #1 > 5 B b'ping\\n'" in lines[:end]
    assert "+5.0000 #1 < 5 B b'pong\\n'" in lines[:end]


def test_the_frames_of_the_world_are_not_in_a_traceback(run: Run) -> None:
    code = """
    @simulated
    def test_refused(world):
        ask(("127.0.0.1", 9))

    @simulated
    def test_reset(tcp_server):
        tcp_server.fault(faults.Reset())
        ask(tcp_server.address)

    @simulated
    def test_too_late(tcp_server):
        ask(tcp_server.address)
    """
    result = run(HEAD + code)
    whole = run(HEAD + code, "--full-trace")

    result.assert_outcomes(failed=3)
    assert "windsock/simulation" not in result.stdout.str()
    assert "windsock/simulation" in whole.stdout.str()
    result.stdout.fnmatch_lines(
        ["*sock.connect(sa)", "E*ConnectionRefusedError: *", "*sock.recv(100)", "E*TimeoutError*"]
    )


def test_a_deadlock_fails_at_once_and_disturbs_no_later_test(run: Run) -> None:
    code = """
    @simulated
    def test_1(tcp_server):
        with socket.create_connection(tcp_server.address) as sock:
            sock.recv(1)

    def test_2(tcp_server):
        tcp_server.on(b"ping\\n").reply(b"pong\\n")
        assert ask(tcp_server.address) == b"pong\\n"
    """
    result = run(HEAD + code, "-p", "no:randomly")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*all threads of the simulated world wait, and nothing is due*", "*main waits for data, since 0 s, at *test_1"]
    )


def test_a_thread_that_does_not_end_is_an_error_of_its_test(run_apart: Run) -> None:
    code = """
    def stay():
        while True:
            try:
                time.sleep(1e9)
            except BaseException:
                continue

    @simulated
    def test_1():
        threading.Thread(target=stay, name="stubborn").start()

    def test_2():
        before = time.monotonic()
        time.sleep(0.001)
        assert time.monotonic() - before >= 0.001
    """
    result = run_apart(HEAD + code, "-p", "no:randomly")

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*StillRunning: the threads of the simulated world * still running: stubborn"])


def test_pytest_timeout_ends_a_test_whose_world_goes_on_for_ever(run: Run) -> None:
    code = """
    @simulated
    @pytest.mark.timeout(2)
    def test_1(tcp_server):
        with socket.create_connection(tcp_server.address):
            while True:
                time.sleep(1)

    @simulated
    def test_2(tcp_server, world):
        time.sleep(5)
        assert world.now == 5
    """
    result = run(HEAD + code, "-p", "no:randomly")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*the test hung: it was not over after 2 s", "+*.0000 --- the test hung"])
    lines = [line for line in result.outlines if re.match(r"\+\d", line)]
    assert list(takewhile(lambda line: "hung" not in line, lines)) == ["+0.0000 #0 from 127.0.0.1:32769"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "@pytest.mark.windsock(simulated=1)\n    def test_it(): pass",
            "*@pytest.mark.windsock(simulated=1): expected True or False",
        ),
        (
            "def test_it(world): pass",
            "*the fixture world is for tests marked with @pytest.mark.windsock(simulated=True)",
        ),
    ],
)
def test_a_wrong_use_is_named(run: Run, code: str, message: str) -> None:
    result = run(f"{HEAD}\n    {code}\n")

    (result.stdout if "world" in message else result.stderr).fnmatch_lines([message])


def test_a_hang_of_a_test_that_has_only_its_world_is_ended(run_apart: Run) -> None:
    code = """
    @simulated
    def test_it(world):
        while True:
            time.sleep(1)
"""
    result = run_apart(HEAD + code, "-o", "windsock_hang_timeout=1")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*windsock: the test hung: it was not over after 1 s*"])
