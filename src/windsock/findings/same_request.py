"""Finding: a client that sends the same request again and again, and gets the same reply."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windsock.findings.facts import Case, Finding, ServerFacts
from windsock.findings.gathering import DETAILED
from windsock.findings.phrases import shown
from windsock.findings.turns import exchanges_of

__all__ = ["find"]

FEWEST = 3
RETRIES = re.compile(r"\b(retry|retries|attempts?|tries)\b", re.I)
"""Words of a client that has given up."""


def find(case: Case) -> Iterator[Finding]:
    """Give the servers whose latest requests were all alike, and their replies too."""
    if not (case.failure.has("timeout") or RETRIES.search(case.failure.text)):
        return
    for server in case.answering:
        found = _repeated(server)
        if found is not None:
            count, request, reply = found
            least = "at least " if len(server.connections) > DETAILED else ""
            sentence = f"the client sent {shown(request)} {least}{count} times, and got {shown(reply)} each time"
            yield Finding(71, f"{server.name}: {sentence}", (server.name, server.shown, "all"))


def _repeated(server: ServerFacts) -> tuple[int, bytes, bytes] | None:
    """Return how often the latest exchange took place in the same way."""
    exchanges = [each for connection in server.connections for each in exchanges_of(connection)]
    if not exchanges:
        return None
    count = next((n for n, each in enumerate(reversed(exchanges)) if each != exchanges[-1]), len(exchanges))
    return (count, *exchanges[-1]) if count >= FEWEST else None
