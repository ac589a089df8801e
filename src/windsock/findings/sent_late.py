"""Finding: what the client wrote was sent only when it gave up."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.faults import Firing
from windsock.findings.facts import Case, ConnectionFacts, FailureFacts, Finding
from windsock.findings.phrases import seconds, shown
from windsock.recording import Direction

__all__ = ["find"]

AT_ONCE = 0.05
"""Seconds between the bytes and the end of a client that closes a file which it has not flushed."""
A_WHILE = 0.1
"""Seconds of silence before that."""


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server on which bytes came only with the client's end."""
    if not case.failure.has("timeout"):
        return
    for server in case.answering:
        connection = server.connections[-1] if server.connections and not server.is_datagram else None
        if connection is not None and any(_acted_upstream(each, connection) for each in server.firings):
            continue
        late = None if connection is None else _late(connection, case.failure)
        if connection is not None and late is not None:
            data, silence = late
            sentence = f"the client sent {shown(data)} only when it gave up, after {silence} of silence"
            remedy = "flush() what is written to a file or stream"
            yield Finding(81, f"{server.at(connection)}: {sentence}: {remedy}", server.about(connection))


def _acted_upstream(firing: Firing, connection: ConnectionFacts) -> bool:
    """Return whether a fault has acted on what the client sent: then that is what has kept it."""
    return firing.connection == connection.index and firing.direction == "upstream"


def _late(connection: ConnectionFacts, failure: FailureFacts) -> tuple[bytes, str] | None:
    """Return what came with the end, and how long nothing had passed before."""
    end = connection.client_end
    if end is None or end - failure.at > AT_ONCE or not connection.chunks:
        return None
    late = [each for each in connection.chunks if end - AT_ONCE <= each.time <= end]
    before = connection.chunks[: connection.chunks.index(late[0])] if late else ()
    if not late or late[0].direction is Direction.DOWNSTREAM:
        return None
    if before and before[-1].direction is Direction.UPSTREAM:
        return None
    silence = late[0].time - (before[-1].time if before else connection.opened)
    sent = b"".join(each.data for each in late if each.direction is Direction.UPSTREAM)
    return (sent, seconds(silence)) if silence >= A_WHILE else None
