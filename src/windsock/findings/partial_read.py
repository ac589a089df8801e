"""Finding: the client took a part of a reply for all of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from windsock.findings.facts import Case, ConnectionFacts, Finding, ServerFacts
from windsock.findings.phrases import counted_noun
from windsock.recording import Direction

__all__ = ["find"]

HARMLESS = ("Delay(", "Dribble(", "Rate(", "Segment(", "Stall(", "Hold(")
"""Faults after which a reply is still whole."""


def find(case: Case) -> Iterator[Finding]:
    """Give the reply that the test compared a beginning of."""
    compared = case.failure.compared
    if compared is None:
        return
    part, whole = compared  # what was received stands on the left, as a rule
    if not part or part == whole or not whole.startswith(part):
        return
    for server in case.answering:
        for connection in reversed(server.connections):
            is_whole = any(each.startswith(whole) for each in _replies(connection))
            if is_whole and all(each.startswith(HARMLESS) for each in connection.faults):
                sentence = f"{server.at(connection)}: {_said(server, connection, part, whole)}"
                yield Finding(84, sentence, server.about(connection))
                return


def _replies(connection: ConnectionFacts) -> Iterator[bytes]:
    """Give what was sent without anything from the client in between."""
    for direction, chunks in groupby(connection.chunks, key=lambda each: each.direction):
        if direction is Direction.DOWNSTREAM:
            yield b"".join(each.data for each in chunks)


def _said(server: ServerFacts, connection: ConnectionFacts, part: bytes, whole: bytes) -> str:
    taken = f"the client took {len(part)} of the {len(whole)} B of the reply"
    if server.is_datagram:
        return f"{taken}: a recv() with too small a buffer drops the rest of a datagram"
    pieces = sum(each.direction is Direction.DOWNSTREAM for each in connection.chunks)
    sent = f"which were sent in {counted_noun(pieces, 'piece')}"
    return f"{taken}, {sent}: one recv() returns what has arrived, so read on until the message is complete"
