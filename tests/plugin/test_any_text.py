"""Whatever text a failure has, in messages, data and names, is shown escaped, in every mode; no result is lost."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.plugin.conftest import Run

NASTY = "\\udc80 \\x1b[2J \\x00 \\r \\x9b \\u202e grüße"
FAILURES = rf"""
import contextlib
import socket
import pytest
import windsock
from windsock.servers import BaseRequestHandler

NASTY = "{NASTY}"

class BrokenText(Exception):
    def __str__(self):
        raise RuntimeError("no text")
    __repr__ = __str__

class AtTheEnd(BaseRequestHandler):
    def setup(self):
        while self.request.recv(100):
            pass

class Nasty(AtTheEnd):
    def handle(self):
        raise ValueError(NASTY)

class NastyGroup(AtTheEnd):
    def handle(self):
        raise ExceptionGroup(NASTY, [ValueError(NASTY)])

class WithoutText(AtTheEnd):
    def handle(self):
        raise BrokenText()

def knock(server, data=b"x"):
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
            while client.recv(100):
                pass

@pytest.mark.parametrize("concurrency", ["threading", "forking", "trio"])
@pytest.mark.parametrize("handler", [Nasty, NastyGroup, WithoutText])
def test_handler(serve, handler, concurrency):
    knock(serve(handler, concurrency=concurrency))

@pytest.mark.parametrize("handler", [Nasty, NastyGroup, WithoutText])
def test_beside_a_failure(serve, handler):
    knock(serve(handler))
    assert False

@pytest.mark.parametrize("handler", [Nasty, NastyGroup, WithoutText])
def test_of_a_with(handler):
    with windsock.serving(handler) as server:
        knock(server)

@pytest.fixture
def served(request):
    with windsock.serving(request.param) as server:
        yield server

@pytest.mark.parametrize("served", [Nasty, NastyGroup, WithoutText], indirect=True)
def test_of_a_fixture(served):
    knock(served)

@pytest.mark.parametrize("name", ["a/b/../c", "\udc80", "\x1b[2J", "grüße ☃", "x" * 300, "\x00"])
def test_name(serve, name):
    server = serve(name=name)
    server.play(windsock.Script().expect(b"y"))
    knock(server, NASTY.encode(errors="surrogatepass"))

def test_message(tcp_server):
    knock(tcp_server, NASTY.encode(errors="surrogatepass"))
    tcp_server.connections.wait(1)
    pytest.fail(NASTY)
"""
COUNT = 3 * 3 + 3 + 3 + 3 + 6 + 1
MODES = [
    "--tb=auto",
    "--tb=short",
    "--tb=line",
    "--tb=native",
    "--tb=no",
    "--show-capture=no",
    "-n2",
    "-vv",
    "--color=yes",
]


@pytest.mark.parametrize("mode", MODES)
def test_no_text_of_a_failure_costs_a_result_in_any_mode(run_apart: Run, tmp_path: Path, mode: str) -> None:
    junit = tmp_path / "junit.xml"

    result = run_apart(FAILURES, mode, f"--junitxml={junit}", f"--windsock-artifacts={tmp_path}/out")

    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == COUNT
    text = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in text
    assert [each for each in ("\x1b[2J", "\x00", "\x9b", "\u202e", "\udc80") if each in text] == []
    suite = next(ElementTree.parse(junit).iter("testsuite"))
    assert int(suite.attrib["failures"]) + int(suite.attrib["errors"]) == COUNT
    assert len(list((tmp_path / "out").iterdir())) == COUNT


def test_605_equal_errors_are_counted_and_not_listed(run: Run) -> None:
    result = run(
        """
        from windsock.servers import BaseRequestHandler

        class Broken(BaseRequestHandler):
            def handle(self):
                1 // 0

        def test_it(serve):
            server = serve(Broken)
            for _ in range(605):
                with server.connect() as client:
                    client.expect_end()

        def test_beside_a_failure(serve):
            test_it(serve)
            assert False
        """,
        "--show-capture=no",
    )

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*windsock: 605 times, this is the first"])
    result.stdout.fnmatch_lines(["E*had an error too (605 times): ZeroDivisionError: *"])
    assert result.stdout.str().count("ZeroDivisionError: integer") == 2
    assert len(result.outlines) < (100 if pytest.version_tuple >= (8, 4) else 150)  # which showed all frames of groups
