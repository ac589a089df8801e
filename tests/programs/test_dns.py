"""dnsmasq behind a proxy of datagrams, and what dig says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import windsock
from tests.programs.conftest import program, run, running
from windsock.faults import Corrupt, Delay, Drop, Loss

NO_ANSWER = 9
"""Exit status of dig(1)."""

QUESTION = bytes.fromhex("2a2a 0100 0001 0000 0000 0000 0877696e64736f636b0474657374 00 0001 0001")
"""A query for the address of windsock.test (RFC 1035, section 4.1)."""


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[windsock.FaultProxy]:
    program("dig")
    command = [
        program("dnsmasq"),
        "--keep-in-foreground",
        "--no-resolv",
        "--no-hosts",
        "--conf-file=/dev/null",
        "--pid-file=",
        "--user=",
        "--listen-address=127.0.0.1",
        "--bind-interfaces",
        "--port={port}",
        "--address=/windsock.test/192.0.2.7",
    ]
    with (
        running(command, tmp_path, question=QUESTION) as port,
        windsock.proxy(("127.0.0.1", port), transport="udp") as proxy,
    ):
        yield proxy


def dig(proxy: windsock.FaultProxy, *options: str) -> tuple[int, str]:
    result = run("dig", "+short", "+time=5", "+tries=1", *options, "-p", str(proxy.port), "@127.0.0.1", "windsock.test")
    return result.returncode, result.stdout.strip()


def test_it_works_and_is_late(proxy: windsock.FaultProxy) -> None:
    with proxy.fault(Delay(0.1)):
        start = time.monotonic()
        assert dig(proxy) == (0, "192.0.2.7")
        assert time.monotonic() - start >= 0.2

    assert b"\x08windsock\x04test" in proxy.connections[0].upstream
    assert bytes([192, 0, 2, 7]) in proxy.connections[0].downstream


def test_a_question_that_is_lost_is_asked_again(proxy: windsock.FaultProxy) -> None:
    with proxy.fault(Drop(1), direction="upstream", connections=0) as fault:
        status, text = dig(proxy, "+time=2", "+tries=2")

    assert (status, text.splitlines()[-1]) == (0, "192.0.2.7")
    assert fault.fired == 1
    assert len(proxy.connections) == 2


def test_a_cut_line(proxy: windsock.FaultProxy) -> None:
    with proxy.fault(Loss(1.0)):
        status, text = dig(proxy, "+time=1")

    assert status == NO_ANSWER
    assert "timed out" in text or "no servers could be reached" in text


def test_an_answer_that_is_damaged(proxy: windsock.FaultProxy) -> None:
    with proxy.fault(Corrupt("zero"), direction="downstream"):
        status, text = dig(proxy, "+time=2")

    assert (status, "192.0.2.7" in text) == (NO_ANSWER, False)
