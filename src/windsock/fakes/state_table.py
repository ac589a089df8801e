"""The rules of a fake and their states: as a table for reports, and what is wrong with them. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from windsock.fakes.errors import UnreachableRule
from windsock.fakes.reply_queue import in_times
from windsock.fakes.states import States

if TYPE_CHECKING:
    from windsock.fakes.patterns import Pattern
    from windsock.fakes.rules import Rule

__all__ = ["not_led_to", "table", "unreachable"]

MOST = 30
"""The most rules that a table shows."""
WIDEST = 40
"""The most characters of one column of the table."""


def table(rules: Sequence[Rule], states: States) -> list[str]:
    """Return a table of the rules with their states, one a line, in the order in which they are tried."""
    is_in = f", which is in {states.of_server()!r}" if states.scope == "server" else ""
    rows = [("in state", "rule", "then", "matched"), *map(_row, rules[:MOST])]
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]
    lines = ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    heading = f"a state per {states.whose}{is_in}; the first is {states.start!r}"
    return [heading, *lines, *([f"... and {len(rules) - MOST} more rules"] if len(rules) > MOST else [])]


def _row(rule: Rule) -> tuple[str, str, str, str]:
    matched = in_times(rule.matches) if rule.matches else "never"
    return ", ".join(rule.states) or "(any)", rule.shown_pattern, ", ".join(rule.leads_to), matched


def unreachable(rules: Sequence[Rule], start: str) -> Iterator[tuple[Rule, UnreachableRule]]:
    """Give the rules that no message can reach: in states that no rule leads to, or behind others for the same."""
    reached = _reached(rules, start)
    before: dict[object, list[Rule]] = {}
    for rule in rules:
        takers = before.setdefault(_key(rule.pattern), [])
        lost = [each for each in rule.states if each not in reached]
        if lost:
            yield rule, UnreachableRule(rule.code, "; ".join(not_led_to(each, rules, start) for each in lost))
        elif (taker := next((each for each in takers if _takes_all_in(each, rule.states)), None)) is not None:
            why = f"{taker.code} stands before it, and takes all such messages{_in(rule)}"
            yield rule, UnreachableRule(rule.code, why)
        takers.append(rule)


def not_led_to(state: str, rules: Iterable[Rule], start: str) -> str:
    """Return that no rule leads to a state, with the close ones; nothing if one does."""
    reached = _reached(rules, start)
    if state in reached:
        return ""
    close = get_close_matches(state, sorted(reached), n=2)
    remedy = f"did you mean {' or '.join(map(repr, close))}?" if close else f"rules lead to {_listed(reached)}"
    return f"no rule leads to the state {state!r}; {remedy}"


def _reached(rules: Iterable[Rule], start: str) -> set[str]:
    """Return the states that can be reached from the first one."""
    reached, ways = {start}, list(rules)
    while (
        more := {state for rule in ways if not rule.states or reached & set(rule.states) for state in rule.leads_to}
        - reached
    ):
        reached |= more
    return reached


def _takes_all_in(taker: Rule, states: Sequence[str]) -> bool:
    """Return whether a rule takes every message in some states. It may, on purpose, with `first=True`."""
    options = taker.options
    is_for_all = options.connections is None and not options.after and taker.most is None and not options.first
    return is_for_all and (not taker.states or (bool(states) and set(states) <= set(taker.states)))


def _key(pattern: Pattern) -> object:
    """Return what is equal for patterns that match the same."""
    if isinstance(pattern, re.Pattern):
        return pattern.pattern, pattern.flags
    return pattern if isinstance(pattern, bytes) else id(pattern)


def _in(rule: Rule) -> str:
    return f" in {_listed(rule.states)}" if rule.states else ""


def _listed(states: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(states)))
