"""Messages that clients started and did not finish: a possible cause of unmet expectations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from windsock.fakes import patterns
from windsock.fakes.responder import Responder
from windsock.fakes.rules import Rule
from windsock.recording import Connection, Framing, Recorder, Requests, preview, unfinished_words
from windsock.recording.request_source import RequestSource
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
    for request in Requests(RequestSource(recorder, framing, is_datagram=False), timeout=lambda: 0.0).unfinished():
        if _is_for_rules(recorder.numbers.by_index(request.connection)):
            yield unfinished_words(request) + _which_rule(request.beginning(LOOKED_AT), responder.rules, framing)


def _bytes(recorder: Recorder, responder: Responder) -> Iterator[str]:
    for connection in recorder.connections:
        rest = _after_rules(connection.upstream, responder.rules) if _is_for_rules(connection) else b""
        why = _which_rule(rest, responder.rules, None) if rest else ""
        if why:
            yield f"#{connection.index}: {len(rest)} B wait for more: {preview(masked(rest))}{why}"


def _which_rule(begun: bytes, rules: Sequence[Rule], framing: Framing | None) -> str:
    """Return a description of the rule that a message with this start may match, or ""."""
    rule = next((each for each in rules if patterns.would_match(each.pattern, begun, framing)), None)
    return "" if rule is None else f", may match {rule.start}"


def _after_rules(arrived: bytes, rules: Sequence[Rule]) -> bytes:
    """Return the received data after the bytes of rules, without framing."""
    known = [each.pattern for each in rules if isinstance(each.pattern, bytes)]
    at = 0
    while size := next((len(each) for each in known if arrived.startswith(each, at)), 0):
        at += size
    return arrived[at:]


def _is_for_rules(connection: Connection) -> bool:
    """Return whether a connection plays no script of its own."""
    return connection.played is None
