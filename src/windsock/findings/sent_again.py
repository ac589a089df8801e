"""Finding: a request that the server had taken already was sent again on another connection."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from windsock.findings.facts import Case, ConnectionFacts, Finding
from windsock.findings.phrases import shown
from windsock.findings.turns import exchanges_of, requests_of

__all__ = ["find"]


def find(case: Case) -> Iterator[Finding]:
    """Give the first connection of each server that repeats a request without a reply of the one before it."""
    is_count = "<requests" in case.failure.text or "RequestMismatch" in case.failure.names
    for server in case.answering if is_count else ():
        for before, after in pairwise(server.connections):
            again = _sent_again(before, after)
            if again:
                taken = f"although the server had taken it on #{before.index}, which ended without a reply"
                sentence = f"the client sent {shown(again)} again, {taken}"
                yield Finding(75, f"{server.at(after)}: {sentence}", server.about(after))
                break


def _sent_again(before: ConnectionFacts, after: ConnectionFacts) -> bytes:
    """Return the last request of a connection if it got no reply and the next connection has it too."""
    requests = requests_of(before)
    answered = [request for request, reply in exchanges_of(before) if reply]
    is_lost = bool(requests) and len(answered) < len(requests)
    return requests[-1] if is_lost and requests[-1] in requests_of(after) else b""
