"""Finding: the client left before it had read a reply."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding, ServerFacts
from windsock.findings.turns import turns_of
from windsock.recording import Direction, Ending

__all__ = ["find"]

READ_ON = ": one recv() returns what has arrived, so read on until the message is complete"
"""What helps a client that could not make sense of what it had read."""


def find(case: Case) -> Iterator[Finding]:
    """Give the first connection of each server that its client has left with something to read."""
    compared = case.failure.compared
    is_other = (
        compared is not None and compared.left_size == compared.right_size
    )  # the client took as much as it wanted
    if is_other or not case.failure.is_about_traffic:
        return
    for server in case.answering:
        for connection in server.connections if not server.is_datagram else ():
            found = _found(server, connection, READ_ON if "ValueError" in case.failure.names else "")
            if found is not None:
                yield found
                break


def _found(server: ServerFacts, connection: ConnectionFacts, remedy: str) -> Finding | None:
    if connection.faults or connection.reset_by_server is not None or connection.ending is not Ending.CLIENT_RESET:
        return None
    if connection.unsent is not None:
        size, sent = connection.unsent
        sentence = f"{server.at(connection)}: the client left after at most {sent} B of a reply of {size} B or more"
        return Finding(62, sentence, server.about(connection))
    if connection.last_sender is not Direction.DOWNSTREAM:
        return None
    *_, (_, reply) = turns_of(connection)
    size = len(reply)
    sentence = f"{server.at(connection)}: the client left without reading all of the {size} B that were sent to it last"
    return Finding(50, f"{sentence}{remedy}", server.about(connection))
