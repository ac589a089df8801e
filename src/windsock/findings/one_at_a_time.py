"""Finding: a connection had to wait for the end of another one, as its server handles one at a time."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding
from windsock.findings.phrases import seconds

__all__ = ["find"]

A_MOMENT = 0.1
"""Seconds in which a server turns to the next connection."""


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each such server, if it was accepted when the one before it had ended."""
    if not case.failure.has("timeout"):
        return
    for server in case.answering:
        if server.is_sync and not server.is_datagram and len(server.connections) > 1:
            before, latest = server.connections[-2:]
            held = _held(before, latest)
            if held:
                blocks = f"{server.name} handles one connection at a time, and #{before.index} was open for {held}"
                sentence = f"{blocks} before #{latest.index} had its turn: a threading server does not keep it waiting"
                yield Finding(83, sentence, server.about(latest))


def _held(before: ConnectionFacts, latest: ConnectionFacts) -> str:
    """Return how long a connection was held open without any traffic, if another one had to wait for that."""
    if before.closed is None or latest.opened - before.closed > A_MOMENT:
        return ""
    idle = before.closed - before.latest
    is_idle = idle > max(A_MOMENT, before.latest - before.opened)
    return seconds(before.closed - before.opened) if is_idle else ""
