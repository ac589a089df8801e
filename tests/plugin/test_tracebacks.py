"""Errors of ours point to the test's own line, and nothing is said twice."""

from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import Run


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("tcp_server.connect().half_close().send(b'x')", "this end has been half-closed before"),
        ("tcp_server.fault('nothing')", "expected"),
        ("tcp_server.requests.wait(1, timeout=0.01)", "waited 0.01 s for 1 complete request, got 0"),
        ("tcp_server.connections.wait(1, timeout=0.01)", "waited 0.01 s for 1 connection to end, got 0"),
    ],
)
def test_an_error_of_ours_ends_in_the_test(run: Run, wrong: str, why: str) -> None:
    result = run(
        f"""
        def test_it(tcp_server):
            {wrong}
        """
    )

    result.assert_outcomes(failed=1)
    assert why in result.stdout.str()
    places = [line.rpartition(": ")[0] for line in result.outlines if re.match(r"\S+\.py:\d+: ", line)]
    assert places == ["test_an_error_of_ours_ends_in_the_test.py:2"]


def test_the_full_trace_is_there_for_who_asks(run: Run) -> None:
    code = """
    def test_it(tcp_server):
        with tcp_server.outage():
            tcp_server.connect()
    """

    assert "clients/client_sockets.py" not in run(code).stdout.str()
    assert "clients/client_sockets.py" in run(code, "--full-trace").stdout.str()


def test_an_error_of_a_handler_keeps_all_of_its_way(run: Run) -> None:
    result = run(
        """
        import windsock

        def deepest():
            raise windsock.UsageError("mine")

        def test_it(tcp_server):
            tcp_server.echo()
            deepest()
        """
    )

    assert len([line for line in result.outlines if re.match(r"\S+\.py:\d+: ", line)]) == 2


def test_a_transcript_is_shown_once(run: Run) -> None:
    result = run(
        """
        from windsock import Script

        def test_it(tcp_server):
            tcp_server.play(Script().expect(b"right").send(b"y"))
            with tcp_server.connect() as client:
                client.send(b"wrong").expect(b"y")
        """
    )

    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert text.count("#0 > 5 B b'wrong'") == 1
    assert text.count("... as in the test's own report, and then:") == text.count("(teardown) -")
    assert "entries are hidden" not in text


@pytest.mark.skipif(pytest.version_tuple < (8, 4), reason="pytest shows all frames of an exception group before 8.4")
def test_what_a_factory_made_shows_no_frames_of_ours(run: Run) -> None:
    result = run(
        """
        def test_it(serve):
            serve().on(b"a").reply(b"b")
        """
    )

    result.assert_outcomes(failed=1)
    assert "fixtures.py" not in result.stdout.str()
    assert "entries are hidden" not in result.stdout.str()


ELSEWHERE = """
    import windsock.servers

    class Broken(windsock.servers.StreamRequestHandler):
        def handle(self):
            1 // 0
    """
USES_IT = """
    import elsewhere

    def test_it(serve):
        with serve(elsewhere.Broken, concurrency={!r}).connect() as client:
            client.expect_eof()
    """


@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
def test_an_error_of_a_handler_starts_in_the_handler(run: Run, pytester: pytest.Pytester, concurrency: str) -> None:
    pytester.makepyfile(elsewhere=ELSEWHERE)

    result = run(USES_IT.format(concurrency))

    result.assert_outcomes(failed=1)
    members = result.stdout.str().partition("1 sub-exception")[2]
    assert re.findall(r'File ".*/(\w+\.py)", line \d+, in (\w+)', members) == [("elsewhere.py", "handle")]


def test_the_full_trace_has_what_leads_to_a_handler(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(elsewhere=ELSEWHERE)

    text = run(USES_IT.format("threading"), "--full-trace").stdout.str()

    assert "servers/handlers.py" in text


EVERY_KIND = """
import socket, threading, time
import pytest, windsock
from windsock import Script
from windsock.faults import Reset
from windsock.servers import BaseRequestHandler, StreamRequestHandler, ThreadingTCPServer

class Broken(BaseRequestHandler):
    def handle(self):
        self.request.recv(10)
        1 // 0

class BrokenInAGroup(Broken):
    def handle(self):
        try:
            super().handle()
        except ZeroDivisionError as error:
            raise ExceptionGroup("several", [ValueError("one"), error]) from error

class WrongType(BaseRequestHandler):
    def handle(self):
        self.request.recv(10)
        self.request.sendall("text")

class Stubborn(BaseRequestHandler):
    released = threading.Event()

    def handle(self):
        self.released.wait(30)

class NotTLS(BaseRequestHandler):
    def handle(self):
        self.request.recv(10)
        self.request.sendall(b"not TLS")
        self.request.recv(10)

class BrokenHook(ThreadingTCPServer):
    def server_bind(self):
        raise RuntimeError("bind")

def knock(server, data=b"x"):
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        while client.recv(100):
            pass

@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
@pytest.mark.parametrize("handler", [Broken, BrokenInAGroup, WrongType])
def test_handler(serve, handler, concurrency):
    knock(serve(handler, concurrency=concurrency))

@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
def test_script(serve, concurrency):
    server = serve(concurrency=concurrency)
    server.play(Script().expect(b"y"))
    knock(server)

@pytest.mark.parametrize("concurrency", ["threading", "forking"])
def test_rule(serve, concurrency):
    server = serve(concurrency=concurrency, framing="lines")
    server.on(b"y").reply(b"z")
    knock(server, b"x\\n")

@pytest.mark.parametrize("concurrency", ["threading", "forking", "trio"])
@pytest.mark.parametrize("handler", [Broken, WrongType])
def test_beside_a_failure(serve, handler, concurrency):
    server = serve(handler, concurrency=concurrency)
    knock(server)
    assert False

def test_two_servers(serve):
    for server in serve(Broken), serve(Broken):
        knock(server)

def test_handler_of_a_with():
    with windsock.serving(Broken) as server:
        knock(server)

def test_client(tcp_server):
    tcp_server.echo()
    with tcp_server.connect() as client:
        client.send(b"x").expect(b"y")

def test_client_in_the_background(serve, scripted_client):
    client = scripted_client(serve(NotTLS).address)
    client.play_in_background(Script().send(b"x").expect(b"y"))

def test_start_tls(serve, scripted_client):
    client = scripted_client(serve(NotTLS).address)
    client.send(b"x").start_tls()

def test_still_running(serve):
    Stubborn.released.clear()
    server = serve(Stubborn, timeout=0.2)
    with socket.create_connection(server.address):
        server.connections[0] if server.connections else time.sleep(0.2)
    try:
        server.stop()
    finally:
        Stubborn.released.set()

@pytest.fixture
def stubborn():
    Stubborn.released.clear()
    with windsock.serving(Stubborn, timeout=0.2) as server:
        yield server

def test_still_running_at_teardown(stubborn):
    with socket.create_connection(stubborn.address):
        time.sleep(0.2)

def test_never_fired(serve):
    serve(faults=[Reset(after_bytes=100)]).stop()

def test_wait(tcp_server):
    tcp_server.requests.wait(1, timeout=0.05)

def test_keyword(serve):
    serve(transprot="udp")

def test_hook(serve):
    serve(BrokenHook, Broken)
"""
OURS = re.compile(r'/(?:windsock/|pytest_windsock/|socketserver)[\w/]*\.py(?::\d+|", line)')


@pytest.mark.skipif(pytest.version_tuple < (8, 4), reason="pytest shows all frames of an exception group before 8.4")
@pytest.mark.parametrize("style", ["auto", "short", "native"])
def test_no_report_has_a_frame_of_ours(run_apart: Run, style: str) -> None:
    result = run_apart(EVERY_KIND, f"--tb={style}")

    outcomes = result.parseoutcomes()
    assert outcomes["failed"] + outcomes["errors"] == 39  # the body of two of them passes, and their fixtures fail
    assert [line for line in result.outlines if OURS.search(line)] == []
    assert "entries are hidden" not in result.stdout.str()


def test_the_full_trace_has_those_of_every_kind(run_apart: Run) -> None:
    text = run_apart(
        EVERY_KIND, "--full-trace", "-k", "script or rule or tls or with or running or wait or hook"
    ).stdout.str()

    for file in ("subject", "progress", "responder", "tls_socket", "running", "verdict", "listeners", "requests"):
        assert re.search(rf'/\w+/{file}\.py(?::\d+|", line)', text), file
