"""Finding: a connection was reset, and no client connected again."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding

__all__ = ["find"]

RESETS = ("Reset(", "Refuse(", "AcceptError(", "Kill(")


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server, if it was reset."""
    if not case.failure.is_about_traffic:
        return
    for server in case.answering:
        connection = server.connections[-1] if server.connections and not server.is_datagram else None
        if connection is None or any(map(_reset_by, server.connections[:-1])):
            continue  # a client that has come again before has given up, see `alike`
        if by := _reset_by(connection):
            sentence = f"{server.at(connection)}: {by} the connection, and no client connected again after that"
            yield Finding(76, sentence, server.about(connection))


def _reset_by(connection: ConnectionFacts) -> str:
    fault = next((each for each in connection.faults if each.startswith(RESETS)), "")
    if fault:
        return f"{fault[: fault.index(')') + 1]} reset"
    reset = connection.reset_by_server
    is_first = reset is not None and (connection.client_end is None or reset < connection.client_end)
    return "the server reset" if is_first else ""
