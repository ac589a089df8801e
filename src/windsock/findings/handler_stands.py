"""Finding: a handler that stands somewhere, and does not wait for its client."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, Finding
from windsock.findings.phrases import seconds

__all__ = ["find"]


def find(case: Case) -> Iterator[Finding]:
    """Give the handlers that do something else than to wait for their clients, who wait in vain."""
    if not case.failure.has("timeout"):
        return
    for server in case.servers:
        for connection in server.connections:
            handler = connection.handler
            if handler is not None and not handler.is_waiting and connection.closed is None:
                since = seconds(case.failure.at - connection.latest)
                stands = f"its handler stands at {handler.place.where} ({handler.place.source})"
                sentence = f"{server.at(connection)}: {stands}, {since} after the last byte"
                yield Finding(82, sentence, server.about(connection))
