"""Recordings made by hand, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from windsock.recording import Connection, RecordedRequest, Recorder, framing_from
from windsock.recording.events import Kind
from windsock.recording.exchanges import Exchanges

PEER = ("127.0.0.1", 40000)


@contextmanager
def recording() -> Iterator[tuple[Recorder, Connection]]:
    """Give a recorder with one connection."""
    recorder = Recorder()
    try:
        yield recorder, recorder.open(PEER)
    finally:
        recorder.close()


def note(connection: Connection, *events: bytes | int | tuple[int, bytes]) -> None:
    """Note events: a kind, (kind, data), b">data" from the client or b"<data" to it."""
    for event in events:
        if isinstance(event, bytes):
            connection.note(Kind.UP if event[:1] == b">" else Kind.DOWN, event[1:])
        elif isinstance(event, int):
            connection.note(event)
        else:
            connection.note(*event)


def requests_of(connection: Connection, framing: Any = None, *, is_datagram: bool = False) -> list[RecordedRequest]:
    return Exchanges(connection, framing_from(framing), is_datagram=is_datagram).requests()
