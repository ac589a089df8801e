"""Finding: a handler that stands somewhere, and does not wait for its client."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding
from windsock.findings.phrases import seconds

__all__ = ["find"]

A_WHILE = 0.1
"""Seconds after the last byte for which a handler that is at work on it does not stand."""


def find(case: Case) -> Iterator[Finding]:
    """Give the handlers that do something else than to wait for their clients, who wait in vain."""
    if not case.failure.has("timeout"):
        return
    for server in case.servers:
        for connection in server.connections:
            weight, said = _said(connection, case.failure.at - connection.latest)
            if said:
                yield Finding(weight, f"{server.at(connection)}: {said}", server.about(connection))


def _said(connection: ConnectionFacts, silence: float) -> tuple[int, str]:
    if _is_busy(connection, silence):
        return 0, ""
    handler, since = connection.handler, seconds(silence)
    if handler is not None and not handler.is_waiting:
        return 82, f"its handler {handler}, {since} after the last byte"
    if connection.pid is not None and connection.closed is None:
        return 55, f"its handler, process {connection.pid}, has neither read nor sent anything for {since}"
    return 0, ""


def _is_busy(connection: ConnectionFacts, silence: float) -> bool:
    """Return whether bytes passed just before the failure, or after it: the handler is at work on them."""
    return silence < A_WHILE or (bool(connection.chunks) and connection.chunks[-1].time > connection.latest)
