"""Runs of failing tests, and the sentences that their reports conclude."""

from __future__ import annotations

import gc
import re
import warnings
from collections.abc import Callable
from typing import TypeAlias

import pytest

from tests.plugin.conftest import PLUGIN, run, run_apart

__all__ = ["run", "run_apart"]

Conclude: TypeAlias = Callable[..., dict[str, list[str]]]

CLIENT = """
    import asyncio, contextlib, http.client, queue, re, socket, ssl, struct, threading, time
    import pytest, trio
    from windsock import LengthPrefix, Script
    from windsock.faults import Blackhole, Drop, Reset, TLSTruncate, Truncate, first
    from windsock.servers import BaseRequestHandler, DatagramRequestHandler, StreamRequestHandler

    def client_of(server, timeout=5):
        if isinstance(server.address, str):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(timeout)
            client.connect(server.address)
            return client
        return socket.create_connection(server.address, timeout)

    def datagrams_to(server, timeout=5):
        client = socket.socket(type=socket.SOCK_DGRAM)
        client.settimeout(timeout)
        client.connect(server.address)
        return client
    """
"""What the inner tests begin with."""
NOTE = re.compile(r"^[E |]+windsock: (.*)$", re.MULTILINE)
OTHERS = re.compile(r"while handling|the (?!client)|\d+ times")
"""How notes begin that are no conclusions."""


class Notes:
    """Collects the conclusions in the reports of a run, by test."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.partition("::")[2]
        if report.when == "call" or report.failed:
            notes = NOTE.findall(report.longreprtext)
            self.found.setdefault(name, []).extend(comparable(each) for each in notes if not OTHERS.match(each))


def comparable(sentence: str) -> str:
    """Leave out what differs from run to run, and the numbers of lines: ports, durations."""
    sentence = re.sub(r"\.py:\d+", ".py:LINE", sentence)
    sentence = re.sub(r"127\.0\.0\.1:\d{2,}", "127.0.0.1:PORT", sentence)
    return re.sub(r"\b\d[\d.e-]* s\b", "T s", sentence)


@pytest.fixture
def conclude(pytester: pytest.Pytester) -> Conclude:
    """Run failing tests; return what each report concludes, in order."""

    def conclude(code: str, *options: str) -> dict[str, list[str]]:
        notes = Notes()
        pytester.makepyfile(CLIENT + code)
        pytester.runpytest_inprocess(*PLUGIN, "-W", "error", *options, plugins=[notes])
        with warnings.catch_warnings(action="ignore"):  # sockets that the failing tests have not closed
            gc.collect()
        return notes.found

    return conclude
