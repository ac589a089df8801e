"""Finding: a message that is not complete, with the figures of its framing."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.fakes import patterns
from windsock.findings.facts import Case, ConnectionFacts, FailureFacts, Finding, ServerFacts
from windsock.findings.phrases import shown
from windsock.recording import Delimiter, Direction, FixedSize, LengthPrefix, Lines, UntilEof
from windsock.redaction import masked

__all__ = ["find"]


def find(case: Case) -> Iterator[Finding]:
    """Give the messages that are not complete; errors of ours that list them have said so."""
    if not case.failure.is_about_traffic or "B wait for" in case.failure.text or case.has_named("FramingError"):
        return
    for server in case.answering:
        for connection in server.connections:
            said = "" if _was_answered(connection, case.failure) else _said(server, connection)
            if said:
                yield Finding(86, f"{server.at(connection)}: {said}", server.about(connection))
                break


def _was_answered(connection: ConnectionFacts, failure: FailureFacts) -> bool:
    """Return whether the server has sent something after the incomplete message, and the client did not wait on."""
    return connection.last_sender is Direction.DOWNSTREAM and not failure.has("timeout")


def _said(server: ServerFacts, connection: ConnectionFacts) -> str:
    framing, rest = server.framing, connection.rest
    if connection.played is not None or isinstance(framing, UntilEof):
        return ""
    if framing is None:
        return _begun_rule(server, connection)
    if not rest:
        return ""
    if isinstance(framing, LengthPrefix):
        return _by_length(framing, rest)
    if isinstance(framing, Lines | Delimiter):
        return f"{len(rest)} B came without {_end_of(framing)}: {shown(rest)}{_remedy(framing, rest)}"
    if isinstance(framing, FixedSize):
        return f"{len(rest)} of the {framing.size} B of a message came: {shown(rest)}"
    return f"{len(rest)} B came of a message that waits for {connection.waits_for}: {shown(rest)}"


def _by_length(framing: LengthPrefix, rest: bytes) -> str:
    if len(rest) < framing.size:
        return f"{len(rest)} of the {framing.size} B of a length prefix came: {rest!r}"
    length = int.from_bytes(rest[: framing.size], framing.byteorder)
    came = len(rest) - (0 if framing.includes_prefix else framing.size)
    return f"the length prefix says {length} B, {came} came: {shown(rest)}"


def _end_of(framing: Lines | Delimiter) -> str:
    return "a line end" if isinstance(framing, Lines) else f"the delimiter {framing.delimiter!r}"


def _remedy(framing: Lines | Delimiter, rest: bytes) -> str:
    """Name a line end of another kind that the message has."""
    if isinstance(framing, Lines):
        return r"; its line ends are b'\r'" if b"\r" in rest else ""
    other = framing.delimiter.replace(b"\r\n", b"\n")
    if other != framing.delimiter and rest.endswith(other):
        return f"; it ends with {other!r}"
    return ""


def _begun_rule(server: ServerFacts, connection: ConnectionFacts) -> str:
    """Without framing, say which rule the latest bytes may be the beginning of."""
    rules, rest = server.rules_for(connection), server.left_by_rules(connection)
    rule = next((each for each in rules if rest and patterns.begins(each.pattern, rest)), None)
    if rule is None or not isinstance(rule.pattern, bytes):
        return ""
    missing = masked(rule.pattern)[len(rest) :]
    return f"{len(rest)} of the {len(rule.pattern)} B of {rule.code} came, {shown(missing)} is missing"
