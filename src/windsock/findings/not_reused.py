"""Finding: a connection for each request, where the test expected fewer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windsock.findings.facts import Case, Finding, ServerFacts
from windsock.findings.phrases import counted_noun
from windsock.findings.turns import requests_of
from windsock.recording import Ending

__all__ = ["find"]

COUNTED = re.compile(r"assert (\d+) == (\d+)\n.*len\(\[?<[Cc]onnection", re.S)
"""A failed assertion about the number of connections."""
CLOSES = re.compile(rb"\r\nconnection: *close\r\n", re.I)


def find(case: Case) -> Iterator[Finding]:
    """Give the server of which the test has counted more connections than it expected."""
    counted = COUNTED.search(case.failure.text)
    if counted is None or int(counted[1]) <= int(counted[2]):
        return
    for server in case.answering:
        if len(server.connections) == int(counted[1]) and all(len(requests_of(e)) == 1 for e in server.connections):
            count = counted_noun(len(server.connections), "connection")
            yield Finding(75, f"{server.name}: {count} with one request each: {_why(server)}", (server.name, "all"))


def _why(server: ServerFacts) -> str:
    first = server.connections[0]
    if CLOSES.search(first.upstream):
        return "the client asked the server to close each, with 'Connection: close'"
    if CLOSES.search(first.downstream):
        return "the server told the client to close each, with 'Connection: close'"
    if first.ending in (Ending.SERVER_CLOSE, Ending.SERVER_RESET):
        return "the server closed each of them after its reply"
    if first.ending in (Ending.CLIENT_EOF, Ending.CLIENT_RESET):
        return "the client closed each of them itself, and so used none again"
    return "each is open, and the client used none again"
