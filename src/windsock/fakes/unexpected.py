"""A message that no rule answers: which rules it came closest to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from windsock.fakes import patterns
from windsock.fakes.errors import UnexpectedMessage
from windsock.fakes.near_miss import MOST, Miss, miss, nearest
from windsock.fakes.rules import Rule
from windsock.fakes.states import Origin
from windsock.recording import Framing

__all__ = ["unexpected_message"]


def unexpected_message(
    message: bytes,
    origin: Origin,
    rules: Sequence[Rule],
    why_never: Callable[[str], str],
    framing: Framing | None,
    *,
    has_messages: bool,
) -> UnexpectedMessage:
    """Return the error, with the closest rules; `why_never(state)` says that no rule leads to a state, or nothing."""

    def miss_of(rule: Rule) -> Miss:
        if has_messages:
            is_match = patterns.match_message(rule.pattern, message, framing)
        else:
            is_match = patterns.match_start(rule.pattern, message) > 0
        if is_match:
            reasons = [] if rule.is_in(origin.state) else list(filter(None, map(why_never, rule.states)))
            return Miss("; ".join([rule.why_not(origin), *reasons]), len(message) + 1)
        return miss(rule.pattern, message, framing, is_whole=has_messages)

    misses = [(rule.start, miss_of(rule)) for rule in rules]
    return UnexpectedMessage(message, nearest(misses), max(0, len(misses) - MOST))
