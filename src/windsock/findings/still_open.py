"""Finding: a connection that the client has not closed."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding
from windsock.findings.phrases import listed, seconds
from windsock.recording import Ending

__all__ = ["find"]

MOST = 5
OF_ENDS = (".closed", ".ending", ".is_closed")
"""Words of a line that asks whether connections have ended."""


def find(case: Case) -> Iterator[Finding]:
    """Give the open connections of each server, if the test waited for ends or asked for them."""
    if not _is_about_ends(case):
        return
    for server in case.answering:
        still_open = [each for each in server.connections if _is_open(each)]
        if still_open and not server.is_datagram:
            which = listed([f"#{each.index}" for each in still_open[:MOST]])
            more = f" and {len(still_open) - MOST} more" if len(still_open) > MOST else ""
            idle = seconds(case.failure.at - max(each.latest for each in still_open))
            are, them = ("is", "it") if len(still_open) == 1 else ("are", "them")
            said = f"{which}{more} {are} still open, idle for {idle}: the client has not closed {them}"
            yield Finding(77, f"{server.name}: {said}", (server.name, server.shown, "open"))


def _is_about_ends(case: Case) -> bool:
    failure = case.failure
    asked = failure.client is not None and any(each in failure.client.source for each in OF_ENDS)
    return "to end, got" in failure.text or (asked and "AssertionError" in failure.names)


def _is_open(connection: ConnectionFacts) -> bool:
    """Return whether it was open when the test failed, and waits for nothing but its client."""
    is_idle = connection.handler is None or connection.handler.is_waiting
    return connection.ending in (None, Ending.STOPPED) and connection.client_end is None and is_idle
