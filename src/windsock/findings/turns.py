"""Runs of bytes of one direction: requests with their replies, also where there is no framing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise

from windsock.findings.facts import ConnectionFacts
from windsock.recording import Direction

__all__ = ["exchanges_of", "requests_of", "turns_of"]


def turns_of(connection: ConnectionFacts) -> Iterator[tuple[Direction, bytes]]:
    """Give the bytes that passed one way without any the other way in between, and which way."""
    for direction, chunks in groupby(connection.chunks, key=lambda each: each.direction):
        yield direction, b"".join(each.data for each in chunks)


def exchanges_of(connection: ConnectionFacts) -> Iterator[tuple[bytes, bytes]]:
    """Give what was sent to the server with what was sent back next."""
    for (direction, data), (_, reply) in pairwise(turns_of(connection)):
        if direction is Direction.UPSTREAM:
            yield data, reply


def requests_of(connection: ConnectionFacts) -> list[bytes]:
    """Return what came to the server: the messages of its framing, or else the runs of bytes."""
    if connection.messages:
        return list(connection.messages)
    return [data for direction, data in turns_of(connection) if direction is Direction.UPSTREAM]
