"""Finding: the client stopped in the middle of a long message."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, FailureFacts, Finding
from windsock.findings.phrases import seconds
from windsock.recording import Direction, Ending, UntilEof

__all__ = ["find"]

NO_REQUEST = re.compile(r"complete requests?, got 0")
"""How a wait for requests says that there is none."""
LARGE = 64 * 1024
"""Bytes of which a client may be left with some that its kernel does not take at once."""
REMEDY = "it has to wait until all is sent, as with asyncio by drain() and wait_closed()"


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server, if the test has waited for a message of which a part came."""
    failure = case.failure
    if not NO_REQUEST.search(failure.text):
        return
    for server in case.answering:
        connection = server.connections[-1] if server.connections else None
        has_framing = server.framing is not None and not isinstance(server.framing, UntilEof)
        if connection is not None and has_framing and _has_no_message(connection):
            sentence = f"{server.at(connection)}: {_said(connection, failure)}: {REMEDY}"
            yield Finding(74, sentence, server.about(connection))


def _has_no_message(connection: ConnectionFacts) -> bool:
    is_clients = connection.ending in (None, Ending.STOPPED, Ending.CLIENT_EOF, Ending.CLIENT_RESET)
    is_plain = not (connection.faults or connection.has_failed or connection.messages)
    return is_clients and is_plain and _came(connection) >= LARGE


def _came(connection: ConnectionFacts) -> int:
    return sum(len(each.data) for each in connection.chunks if each.direction is Direction.UPSTREAM)


def _said(connection: ConnectionFacts, failure: FailureFacts) -> str:
    came = _came(connection)
    if connection.client_end is not None:
        return f"the client ended its stream after {came} B of a message that goes on"
    idle = seconds(failure.at - connection.latest)
    return f"the client sent {came} B of a message that goes on, and nothing more for {idle}"
