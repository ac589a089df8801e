"""Finding: the process of a handler has died, which ended the connection."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding
from windsock.recording import Ending

__all__ = ["find"]


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server that ended without its handler."""
    if not case.failure.is_of_network:
        return
    for server in case.answering:
        connection = server.connections[-1] if server.connections else None
        if connection is not None and connection.pid is not None and _has_died(connection):
            died = f"the process of its handler ({connection.pid}) was killed, or exited without closing the connection"
            sentence = (
                f"{died}, when {len(connection.upstream)} B had come and {len(connection.downstream)} B were sent"
            )
            yield Finding(81, f"{server.at(connection)}: {sentence}", server.about(connection))


def _has_died(connection: ConnectionFacts) -> bool:
    if connection.ending is Ending.HANDLER_DIED:
        return not connection.faults
    return connection.has_exited and not (connection.faults or connection.has_failed)
