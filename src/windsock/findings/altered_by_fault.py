"""Finding: a fault has changed what the client got."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.faults import Firing
from windsock.findings.facts import Case, Finding, ServerFacts

__all__ = ["find"]

CHANGES = ("Corrupt(", "Duplicate(", "Reorder(", "Replace(")
"""Faults after which other bytes arrive than were sent."""


def find(case: Case) -> Iterator[Finding]:
    """Give the latest change on each server or proxy, if the test got other bytes than were sent, or could not read."""
    failure = case.failure
    is_unreadable = "ValueError" in failure.names or failure.has("reset", "end")
    if not (failure.compared or is_unreadable) or failure.has("timeout"):
        return
    for server in case.servers:
        firing = next((each for each in reversed(server.firings) if each.fault.startswith(CHANGES)), None)
        if firing is not None and not _came_as_sent(server, firing, case):
            effect = f"{firing.fault} took effect {firing.direction}".rstrip()
            sentence = f"{server.name}: {effect} ({firing.what}): what arrived is not what was sent"
            yield Finding(67, sentence, (server.name, server.shown, firing.connection))


def _came_as_sent(server: ServerFacts, firing: Firing, case: Case) -> bool:
    """Return whether the test has got just what the server has sent."""
    compared = case.failure.compared
    if compared is None or firing.direction != "downstream":
        return False
    return any(compared.left in each.downstream for each in server.connections)
