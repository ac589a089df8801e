"""Messages that clients started and did not finish: a possible cause of unmet expectations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from windsock.fakes.responder import Responder
from windsock.recording import Connection, Framing, Recorder, Requests, preview, unfinished_words
from windsock.redaction import masked

__all__ = ["unfinished"]

MOST = 3
"""The most connections that a message names."""
LOOKED_AT = 64 * 1024
"""The most bytes of a message that are compared with the rules."""


def unfinished(recorder: Recorder, framing: Framing | None, responder: Responder) -> list[str]:
    """Return descriptions of incomplete messages on a few connections, and of the rules that they may match."""
    found = _bytes(recorder, responder) if framing is None else _messages(recorder, framing, responder)
    return list(islice(found, MOST))


def _messages(recorder: Recorder, framing: Framing, responder: Responder) -> Iterator[str]:
    for request in Requests(recorder, framing, is_datagram=False, timeout=lambda: 0.0).unfinished():
        if _is_for_rules(recorder.numbers.by_index(request.connection)):
            yield unfinished_words(request) + responder.why_unfinished(request.beginning(LOOKED_AT))


def _bytes(recorder: Recorder, responder: Responder) -> Iterator[str]:
    for connection in recorder.connections:
        rest = responder.rest(connection.upstream) if _is_for_rules(connection) else b""
        why = responder.why_unfinished(rest) if rest else ""
        if why:
            yield f"#{connection.index}: {len(rest)} B wait for more: {preview(masked(rest))}{why}"


def _is_for_rules(connection: Connection) -> bool:
    """Return whether a connection plays no script of its own."""
    return connection.played is None
