"""Finding: bytes of a stream without framing that no rule of a fake answers, in full."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.fakes import patterns
from windsock.findings.facts import Case, ConnectionFacts, Finding, ServerFacts
from windsock.recording import preview

__all__ = ["find"]

SHOWN = 80
"""Bytes that are shown: the error of the fake has only those up to the first that is wrong."""


def find(case: Case) -> Iterator[Finding]:
    """Give the first such connection of each fake that plays no script."""
    if not case.failure.is_of_network or case.has_named("UnexpectedMessage"):
        return
    for server in case.answering:
        if not (server.is_fake and server.rules) or server.framing is not None or server.is_datagram:
            continue
        for connection in server.connections:
            rest = _unanswered(server, connection) if connection.played is None and connection.has_failed else b""
            if rest:
                sentence = f"{server.at(connection)}: the client sent {preview(rest, SHOWN)}, which no rule answers"
                yield Finding(84, sentence, server.about(connection))
                break


def _unanswered(server: ServerFacts, connection: ConnectionFacts) -> bytes:
    """Return what the rules leave of the bytes that came; nothing if a rule may yet match."""
    rest = server.left_by_rules(connection)
    return b"" if any(patterns.begins(each.pattern, rest) for each in server.rules_for(connection)) else rest
