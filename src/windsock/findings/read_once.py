"""Finding: a handler that has called recv() once, and got as many bytes as it had asked for."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding, ServerFacts
from windsock.recording import Direction, EachRecord

__all__ = ["find"]

SIZES = frozenset((*(2**power for power in range(7, 17)), 100, 1000, 10_000, 100_000))
"""Sizes that people give to recv()."""


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server whose handler has filled one buffer and returned."""
    if not case.failure.is_of_network:
        return
    for server in case.answering:
        connection = server.connections[-1] if server.connections else None
        if connection is not None and _has_read_once(server, connection):
            read = f"the handler read {len(connection.upstream)} B with one recv(), which was full, and no more"
            remedy = "if the client sent more, read on until the message is complete"
            yield Finding(73, f"{server.at(connection)}: {read}: {remedy}", server.about(connection))


def _has_read_once(server: ServerFacts, connection: ConnectionFacts) -> bool:
    read = [each.data for each in connection.chunks if each.direction is Direction.UPSTREAM]
    has_units = server.is_datagram or isinstance(server.framing, EachRecord)
    is_handlers = not (server.is_fake or server.is_proxy or has_units or connection.faults)
    has_left = connection.server_end is not None and connection.client_end is None
    return is_handlers and has_left and len(read) == 1 and len(read[0]) in SIZES
