"""An HTTP server behind a proxy, and curl's exit status."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import windsock
from tests.programs.conftest import program, run, running
from windsock.faults import Delay, Reset, Truncate

PAGE = "hello " * 1000
TIMED_OUT, PARTIAL, RECV_ERROR = 28, 18, 56
"""Exit status of curl(1)."""


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[windsock.FaultProxy]:
    program("curl")
    (tmp_path / "page.txt").write_text(PAGE)
    command = [sys.executable, "-m", "http.server", "{port}", "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with running(command, tmp_path) as port, windsock.proxy(("127.0.0.1", port)) as proxy:
        yield proxy


def curl(proxy: windsock.FaultProxy, *options: str) -> tuple[int, str]:
    result = run("curl", "-s", "--noproxy", "*", *options, f"http://127.0.0.1:{proxy.port}/page.txt")
    return result.returncode, result.stdout


def test_it_works_and_is_late(proxy: windsock.FaultProxy) -> None:
    with proxy.fault(Delay(0.2)):
        start = time.monotonic()
        assert curl(proxy) == (0, PAGE)
        assert time.monotonic() - start >= 0.4

    (request,) = proxy.requests.wait(1)
    assert request.data.startswith(b"GET /page.txt HTTP/1.1\r\n")
    assert request.reply.endswith(PAGE.encode())


def test_a_reset_in_mid_reply(proxy: windsock.FaultProxy) -> None:
    with proxy.fault(Reset(after_bytes=1000, flush=True), direction="downstream") as fault:
        status, _ = curl(proxy)

    assert status == RECV_ERROR
    assert fault.fired == 1
    assert proxy.connections[0].upstream.startswith(b"GET /page.txt")


def test_an_answer_that_is_cut_short(proxy: windsock.FaultProxy) -> None:
    with proxy.fault(Truncate(1000), direction="downstream"):
        status, text = curl(proxy)

    assert status == PARTIAL
    assert 0 < len(text) < 1000
    assert PAGE.startswith(text)


def test_a_cut_line(proxy: windsock.FaultProxy) -> None:
    with windsock.partition(proxy):
        assert curl(proxy, "--max-time", "0.3")[0] == TIMED_OUT

    assert curl(proxy) == (0, PAGE)
