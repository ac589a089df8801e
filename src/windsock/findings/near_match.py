"""Finding: the first rule that a message would match but for one thing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windsock.fakes import patterns
from windsock.findings.facts import Case, ConnectionFacts, Finding, RuleFacts, ServerFacts
from windsock.findings.phrases import shown
from windsock.recording import Framing, Lines

__all__ = ["difference", "find"]

LINE_ENDS = (b"\r\n", b"\n\r", b"\n", b"\r")
NUMBERS = (2, 4, 8)
"""Bytes of an integer that a message may begin with."""
MOST_TRAILING = 4
"""Bytes at the end that one may have and the other not."""
ENCODINGS = (("utf-8", "UTF-8"), ("latin-1", "Latin-1"), ("utf-16-le", "UTF-16"), ("utf-16", "UTF-16"))


def find(case: Case) -> Iterator[Finding]:
    """Give, for each fake, the first message that no rule matches and one nearly does."""
    if not case.failure.is_about_traffic or case.has_named("UnexpectedMessage"):
        return
    for server in case.servers:
        found = next(_found_in(server), None)
        if found is not None:
            yield found


def _found_in(server: ServerFacts) -> Iterator[Finding]:
    for connection in server.connections:
        rules = server.rules_for(connection)
        for message in _unmatched(server, connection, rules) if connection.played is None else ():
            for rule in rules:
                thing = _difference(rule, message, server.framing)
                if thing:
                    sentence = f"{server.at(connection)}: {shown(message)} would match {rule.code} but for {thing}"
                    yield Finding(90, sentence, server.about(connection))


def _unmatched(server: ServerFacts, connection: ConnectionFacts, rules: list[RuleFacts]) -> Iterator[bytes]:
    """Give the messages that no rule matches; of a stream without framing, what the rules leave."""
    if server.framing is None and not server.is_datagram:
        rest = server.left_by_rules(connection)
        yield from [rest] if rest else []
        return
    for message in connection.messages:
        if not any(_matches(rule, message, server.framing) for rule in rules):
            yield message


def _matches(rule: RuleFacts, message: bytes, framing: Framing | None) -> bool:
    """Return whether a rule matches; what a function of the test would say is not asked."""
    pattern = rule.pattern
    return not isinstance(pattern, bytes | re.Pattern) or patterns.match_message(pattern, message, framing)


def _difference(rule: RuleFacts, message: bytes, framing: Framing | None) -> str:
    pattern = rule.pattern
    if isinstance(pattern, re.Pattern):
        return _difference_from_regex(pattern, message)
    if not isinstance(pattern, bytes):
        return ""
    if isinstance(framing, Lines):
        pattern = pattern.rstrip(b"\r\n")
    candidates = dict.fromkeys((patterns.body(framing, message), message, message[: len(pattern)]))
    return next((thing for each in candidates if (thing := difference(pattern, each))), "")


def difference(pattern: bytes, message: bytes) -> str:
    """Return the one thing that a message has other than a pattern; nothing if there is more than one, or none."""
    if not message or message == pattern:
        return ""
    for thing in (_line_end, _case, _white_space, _encoding, _byte_order, _trailing):
        if found := thing(pattern, message):
            return found
    return ""


def _line_end(pattern: bytes, message: bytes) -> str:
    (ours, our_end), (theirs, their_end) = _without_line_end(pattern), _without_line_end(message)
    if ours == theirs:
        it_has = f"it ends with {their_end!r}" if their_end else "it has none"
        rule_has = f"the rule with {our_end!r}" if our_end else "the rule has none"
        return f"the line end: {it_has}, {rule_has}"
    if ours.replace(b"\r\n", b"\n") == theirs.replace(b"\r\n", b"\n"):
        return "its line ends within: one has CR LF where the other has LF"
    return ""


def _without_line_end(data: bytes) -> tuple[bytes, bytes]:
    end = next((each for each in LINE_ENDS if data.endswith(each)), b"")
    return data.removesuffix(end), end


def _case(pattern: bytes, message: bytes) -> str:
    if pattern.lower() != message.lower():
        return ""
    return "upper and lower case: a regular expression with re.IGNORECASE takes both"


def _white_space(pattern: bytes, message: bytes) -> str:
    if pattern.split() == message.split() or b"".join(pattern.split()) == b"".join(message.split()):
        return "white space"
    return ""


def _encoding(pattern: bytes, message: bytes) -> str:
    """Say which encodings they have, if both are the same text."""
    for theirs, their_name in ENCODINGS:
        for ours, our_name in ENCODINGS:
            if their_name != our_name and _text(message, theirs) == _text(pattern, ours) is not None:
                return f"the encoding: it is {their_name}, the rule {our_name}"
    return ""


def _text(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _byte_order(pattern: bytes, message: bytes) -> str:
    if len(pattern) != len(message):
        return ""
    for size in NUMBERS:
        if pattern[:size] == message[:size][::-1] and pattern[size:] == message[size:] and len(message) >= size:
            return f"the byte order of its first {size} bytes: they are {message[:size]!r}, the rule has the reverse"
    return ""


def _trailing(pattern: bytes, message: bytes) -> str:
    if message.startswith(pattern) and len(message) - len(pattern) <= MOST_TRAILING:
        return f"{message[len(pattern) :]!r} at its end, which the rule does not have"
    if pattern.startswith(message) and len(message) > len(pattern) - len(message) <= MOST_TRAILING:
        return f"{pattern[len(message) :]!r} at the end of the rule, which it does not have"
    return ""


def _difference_from_regex(pattern: re.Pattern[bytes], message: bytes) -> str:
    body = message.rstrip(b"\r\n")
    if any(pattern.search(body + end) for end in (b"", b"\n", b"\r\n")):
        return f"the line end, {message[len(body) :]!r}"
    if re.compile(pattern.pattern, pattern.flags | re.IGNORECASE).search(message):
        return "upper and lower case: re.IGNORECASE takes both"
    if pattern.search(b" ".join(message.split())):
        return "white space"
    return ""
