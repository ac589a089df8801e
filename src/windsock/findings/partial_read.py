"""Finding: the client took a part of a reply for all of it."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding, ServerFacts
from windsock.findings.phrases import counted_noun
from windsock.findings.turns import turns_of
from windsock.recording import Direction, EachRecord

__all__ = ["find"]

HARMLESS = ("Delay(", "Dribble(", "Rate(", "Segment(", "Stall(", "Hold(")
"""Faults after which a reply is still whole."""


def find(case: Case) -> Iterator[Finding]:
    """Give the reply that the test compared a beginning of, or of which it counted fewer bytes."""
    compared, counted = case.failure.compared, case.failure.counted
    if compared is not None and compared.is_beginning:  # what was received stands on the left, as a rule
        (part, whole), begins = (compared.left_size, compared.right_size), compared.right
    elif counted is not None and 0 < counted[0] < counted[1]:
        (part, whole), begins = counted, b""
    else:
        return
    for server in case.answering:
        for connection in reversed(server.connections):
            is_whole = any(len(e) >= whole and e.startswith(begins) for e in _replies(connection))
            is_whole &= bool(begins) or any(len(e) == whole for e in _replies(connection))
            if is_whole and all(each.startswith(HARMLESS) for each in connection.faults):
                sentence = f"{server.at(connection)}: {_said(server, connection, part, whole)}"
                yield Finding(84, sentence, server.about(connection))
                return


def _replies(connection: ConnectionFacts) -> Iterator[bytes]:
    """Give what was sent without anything from the client in between."""
    return (data for direction, data in turns_of(connection) if direction is Direction.DOWNSTREAM)


def _said(server: ServerFacts, connection: ConnectionFacts, part: int, whole: int) -> str:
    taken = f"the client took {part} of the {whole} B of the reply"
    if server.is_datagram or isinstance(server.framing, EachRecord):
        unit = "datagram" if server.is_datagram else "record"
        return f"{taken}: a recv() with too small a buffer drops the rest of a {unit}"
    pieces = sum(each.direction is Direction.DOWNSTREAM for each in connection.chunks)
    sent = f"which were sent in {counted_noun(pieces, 'piece')}"
    return f"{taken}, {sent}: one recv() returns what has arrived, so read on until the message is complete"
