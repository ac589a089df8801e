"""The rules that took messages which later rules also match. Only for rules that were never used. No I/O."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from windsock.fakes import patterns
from windsock.fakes.rules import Rule
from windsock.recording import Cutter, Framing

__all__ = ["shadowed"]


def shadowed(
    rules: Sequence[Rule],
    streams: Iterable[tuple[int, bytes]],
    framing: Framing | None,
    *,
    is_datagram: bool,
    echoes: bool,
) -> dict[Rule, str]:
    """Return, for each rule whose messages went to earlier rules, a sentence about them.

    `streams` are the bytes of connections (or datagrams), each with the connection's index. The messages are matched
    again, connection by connection, which is not always the order in which they came.
    """
    taken: Counter[Rule] = Counter()
    lost: dict[Rule, Counter[Rule]] = {}
    for index, data in streams:
        here = [rule for rule in rules if rule.is_for(index)]
        with contextlib.suppress(Exception):  # the handler has raised and reported the same
            for message in _messages(data, None if is_datagram else framing):
                _replay(here, message, framing, taken, lost, is_whole=framing is not None or is_datagram, echoes=echoes)
    return {rule: _sentence(takers) for rule, takers in lost.items()}


def _messages(data: bytes, framing: Framing | None) -> Iterator[bytes]:
    if framing is None:
        yield data
        return
    cutter = Cutter(framing)
    if cutter.has_state:  # one direction does not say where messages end
        return
    cutter.feed(data)
    while (message := cutter.cut()) is not None:
        yield message


def _replay(
    rules: Sequence[Rule],
    data: bytes,
    framing: Framing | None,
    taken: Counter[Rule],
    lost: dict[Rule, Counter[Rule]],
    *,
    is_whole: bool,
    echoes: bool,
) -> None:
    """Count which rules take a message (or the start of a stream without framing), and which miss it."""
    while data:
        sizes = {rule: size for rule in rules if (size := _size(rule, data, framing, is_whole=is_whole))}
        taker = _taker(sizes, taken)
        if taker is None:
            if is_whole or not echoes or not rules:
                return
            known = next(iter(sizes.values()), 0)  # an echo ends where the bytes of a rule may start
            data = data[known or min(patterns.first_start(each.pattern, data, 1) for each in rules) :]
            continue
        behind = list(sizes)
        for rule in behind[behind.index(taker) + 1 :]:
            lost.setdefault(rule, Counter())[taker] += 1
        data = data[sizes[taker] :]


def _size(rule: Rule, data: bytes, framing: Framing | None, *, is_whole: bool) -> int:
    """Return how many bytes the rule matches: a whole message or none, or the start of a stream."""
    if is_whole:
        return len(data) if patterns.match_message(rule.pattern, data, framing) else 0
    return patterns.match_start(rule.pattern, data)


def _taker(rules: Iterable[Rule], taken: Counter[Rule]) -> Rule | None:
    """Return the first rule that answers; count the message for the rules that skip it, too."""
    for rule in rules:
        if rule.counts(taken[rule]):
            taken[rule] += 1
            if taken[rule] > rule.options.after:
                return rule
    return None


def _sentence(takers: Counter[Rule]) -> str:
    said = []
    for rule, count in takers.most_common():
        messages = "1 message that it matches" if count == 1 else f"{count} messages that it matches"
        said.append(f"{messages} went to {rule.start}, which stands before it")
    return "; ".join(said) + "; on(..., first=True) puts a rule before the others"
