"""Finding: a handler that stands somewhere, and does not wait for its client."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding
from windsock.findings.phrases import seconds

__all__ = ["find"]


def find(case: Case) -> Iterator[Finding]:
    """Give the handlers that do something else than to wait for their clients, who wait in vain."""
    if not case.failure.has("timeout"):
        return
    for server in case.servers:
        for connection in server.connections:
            weight, said = _said(connection, seconds(case.failure.at - connection.latest))
            if said:
                yield Finding(weight, f"{server.at(connection)}: {said}", server.about(connection))


def _said(connection: ConnectionFacts, since: str) -> tuple[int, str]:
    handler = connection.handler
    if handler is not None and not handler.is_waiting and not _is_busy(connection):
        return 82, f"its handler {handler}, {since} after the last byte"
    if connection.pid is not None and connection.closed is None:
        return 55, f"its handler, process {connection.pid}, has neither read nor sent anything for {since}"
    return 0, ""


def _is_busy(connection: ConnectionFacts) -> bool:
    """Return whether bytes passed after the failure: the handler is just at work on them."""
    return bool(connection.chunks) and connection.chunks[-1].time > connection.latest
