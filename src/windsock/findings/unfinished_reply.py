"""Finding: a reply that by its own protocol goes on, and did not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding
from windsock.findings.phrases import shown
from windsock.findings.turns import turns_of
from windsock.recording import Direction

__all__ = ["find"]

MORE_LINES = re.compile(rb"(?:\A|\n)(\d{3}-[^\r\n]*\r?\n)\Z")
"""A last line after which others follow (RFC 5321, section 4.2.1; RFC 959, section 4.2)."""
BULK = re.compile(rb"\$(\d+)\r\n")
"""How a bulk string of Redis begins."""


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server on which the client waited for the rest of a reply."""
    if not case.failure.has("timeout", "end"):
        return
    for server in case.answering:
        connection = server.connections[-1] if server.connections and not server.is_datagram else None
        said = _said(connection) if connection is not None and not connection.faults else ""
        if said and connection is not None:
            yield Finding(83, f"{server.at(connection)}: {said}", server.about(connection))


def _said(connection: ConnectionFacts) -> str:
    turns = list(turns_of(connection))
    direction, reply = turns[-1] if turns else (Direction.UPSTREAM, b"")
    if direction is Direction.UPSTREAM:
        return ""
    line, bulk = MORE_LINES.search(reply), BULK.match(reply)
    if line is not None:
        return f"the last line sent, {shown(line[1])}, has b'-' after its code: so the client waits for another line"
    if bulk is not None and reply.endswith(b"\r\n"):
        size, came = int(bulk[1]), len(reply) - bulk.end() - 2
        return f"the reply says that {size} B follow ({bulk[0]!r}), {came} were sent" if came < size else ""
    return ""
