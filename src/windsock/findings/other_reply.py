"""Finding: a reply that belongs to another request."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, Comparison, Finding, ServerFacts
from windsock.findings.phrases import shown
from windsock.findings.turns import exchanges_of

__all__ = ["find"]

SHORTEST = 3
"""Bytes by which a request can be recognised in a reply."""
LATE = ("Delay(", "Duplicate(", "Reorder(", "Hold(")
"""Faults after which replies come late, twice, or in another order."""


def find(case: Case) -> Iterator[Finding]:
    """Give the server that sent what the test got, in reply to something else."""
    compared = case.failure.compared
    if compared is None or not compared.is_whole or compared.left == compared.right:
        return
    for server in case.answering:
        exchanges = [each for connection in server.connections for each in exchanges_of(connection)]
        said = _taken_for_another(server, exchanges, compared) or _mixed_up(server, exchanges, compared)
        if said and server.connections:
            yield Finding(87, f"{server.name}: {said}", server.about(server.connections[-1]))


def _taken_for_another(server: ServerFacts, exchanges: list[tuple[bytes, bytes]], compared: Comparison) -> str:
    """Say which earlier request had got what the test compared with its latest reply."""
    if len(exchanges) < 2 or exchanges[-1][1] != compared.right:
        return ""
    latest = exchanges[-1][0]
    earlier = next((request for request, reply in exchanges[:-1] if reply == compared.left), latest)
    if earlier == latest:
        return ""
    late = next((each for each in reversed(server.firings) if each.fault.startswith(LATE)), None)
    fault = "" if late is None else f"; {late.fault} had taken effect {late.direction}".rstrip()
    belongs = f"{shown(compared.left)} is the reply to the earlier request {shown(earlier)}"
    return f"{belongs}, the one to the latest request {shown(latest)} is {shown(compared.right)}{fault}"


def _mixed_up(server: ServerFacts, exchanges: list[tuple[bytes, bytes]], compared: Comparison) -> str:
    """Say that the server itself has replied with what it knew from another request."""
    request, reply = exchanges[-1] if exchanges else (b"", b"")
    mark = request.strip()
    if reply != compared.left or len(mark) < SHORTEST or mark in reply or mark not in compared.right:
        return ""
    others = (other.strip() for other, _ in reversed(exchanges[:-1]))
    other = next((each for each in others if len(each) >= SHORTEST and each in reply), b"")
    who = "fake" if server.is_fake else "handler"
    sent = f"the {who} sent {shown(reply)} in reply to {shown(request)}"
    return f"{sent}: that is about the earlier request {shown(other)}" if other else ""
