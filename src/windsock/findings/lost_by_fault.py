"""Finding: data that a fault dropped and that was not sent again."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.faults import Firing
from windsock.findings.facts import Case, Finding, ServerFacts
from windsock.recording import Direction

__all__ = ["find"]

LOSSES = ("dropped", "lost", "swallowed", "held", "cut the stream", "ended the direction", "took")
"""How the words for a firing begin that has kept something from arriving."""
HELD_END = "held End"


def find(case: Case) -> Iterator[Finding]:
    """Give the latest loss on each server or proxy after which the client sent nothing more."""
    if not case.failure.is_about_traffic:
        return
    for server in case.servers:
        for firing in _latest_losses(server.firings):
            if not _was_sent_again(server, firing):
                yield Finding(80, _said(case, server, firing), (server.name, server.shown, firing.connection))
                break


def _latest_losses(firings: tuple[Firing, ...]) -> list[Firing]:
    """Return the latest loss; if that is only the end of a stream, the latest loss of data first."""
    losses = [each for each in reversed(firings) if each.what.startswith(LOSSES)]
    of_data = [each for each in losses if each.what != HELD_END]
    return [*of_data[:1], *losses[:1]]


def _was_sent_again(server: ServerFacts, firing: Firing) -> bool:
    """Return whether the client has sent something since."""
    later = (
        each.time > firing.at
        for connection in server.connections
        for each in connection.chunks
        if each.direction is Direction.UPSTREAM
    )
    return any(later) or any(
        each.at > firing.at and each.direction == "upstream" for each in server.firings if each is not firing
    )


def _said(case: Case, server: ServerFacts, firing: Firing) -> str:
    effect = f"{firing.fault} took effect {firing.direction}".rstrip()
    is_taken = firing.what.startswith("cut the stream") and firing.direction == "downstream" and firing.offset
    if is_taken and not case.failure.has("timeout", "reset", "end", "error"):
        return f"{server.name}: {effect} ({firing.what}), and the client took what had come for the whole"
    return f"{server.name}: {effect} ({firing.what}), and the client sent nothing again after that"
