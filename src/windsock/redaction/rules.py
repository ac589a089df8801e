"""What to redact, as users give it: bytes, regular expressions of bytes, and functions; checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias

from windsock.errors import UsageError

__all__ = ["RuleFailed", "SecretRule", "Span", "joined", "rule_of_literal", "rule_of_pattern", "rules_from"]

Span: TypeAlias = tuple[int, int]
"""Where a secret starts and ends."""
EXPECTED = "expected bytes, regular expressions of bytes (re.compile(rb'...')), and functions of bytes, in a list"


class RuleFailed(Exception):
    """A function of the test's author has failed. `name` is the function's, `what` says how it failed."""

    def __init__(self, name: str, what: str) -> None:
        self.name = name
        self.what = what
        super().__init__(f"redact={name} {what}")


@dataclass(frozen=True, slots=True)
class SecretRule:
    """Finds secrets: `find` gives where they are in some bytes.

    There are none unless the bytes have the `needle` in lower case.
    """

    find: Callable[[bytes], Iterable[Span]]
    needle: bytes | None = None


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order; those that touch are one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def rules_from(given: Any) -> tuple[SecretRule, ...]:
    """Return the rules for the value of `redact=`. Raises UsageError for what cannot be one."""
    if given is None:
        return ()
    if isinstance(given, bytes | str | re.Pattern) or callable(given):
        given = [given]
    try:
        values = list(given)
    except TypeError:
        raise UsageError(f"redact={_kind(given)}: {EXPECTED}") from None
    return tuple(map(_rule, values))


def _rule(value: Any) -> SecretRule:
    if isinstance(value, bytes) and value:
        return rule_of_literal(value)
    if isinstance(value, re.Pattern) and isinstance(value.pattern, bytes):
        return rule_of_pattern(value)
    if not isinstance(value, re.Pattern) and callable(value):
        return _rule_of_function(value)
    raise UsageError(f"redact={_kind(value)}: {EXPECTED}")


def _kind(value: Any) -> str:
    """Return the class of a value that is no rule; not the value, which may be the secret itself."""
    return "b''" if value == b"" else f"<{type(value).__name__}>"


def rule_of_literal(secret: bytes) -> SecretRule:
    """Return a rule for a secret that is known, also as text shows it."""
    shown = repr(secret)[2:-1].encode()
    forms = b"|".join(re.escape(each) for each in dict.fromkeys((secret, shown, shown.replace(b"'", rb"\'"))))
    return rule_of_pattern(re.compile(forms))


def rule_of_pattern(pattern: re.Pattern[bytes], needle: bytes | None = None) -> SecretRule:
    """Return a rule for what the groups of an expression match; without groups, for all that it matches."""
    return SecretRule(partial(_matches, pattern), needle)


def _matches(pattern: re.Pattern[bytes], data: bytes) -> Iterator[Span]:
    groups = range(1, pattern.groups + 1) if pattern.groups else (0,)
    for match in pattern.finditer(data):
        yield from (match.span(group) for group in groups if match.end(group) > match.start(group))


def _rule_of_function(function: Callable[[bytes], Any]) -> SecretRule:
    """Return a rule for what a function replaces. Raises UsageError if it cannot do so with no bytes at all."""
    find = partial(_replaced, function)
    try:
        find(b"")
    except RuleFailed as failure:
        raise UsageError(
            f"redact={failure.name}: {failure.name}(b'') {failure.what}; expected a function that takes any bytes and "
            "returns them without the secrets, as bytes"
        ) from failure.__cause__
    return SecretRule(find)


def _replaced(function: Callable[[bytes], Any], data: bytes) -> list[Span]:
    """Return what a function has replaced: each run of bytes if it keeps the length, otherwise all from first to last.

    Raises RuleFailed, which does not show what the function has raised: that may be a secret.
    """
    name = getattr(function, "__name__", type(function).__name__)
    try:
        made = function(data)
    except Exception as error:
        raise RuleFailed(name, f"raised {type(error).__name__}") from error
    if not isinstance(made, bytes):
        raise RuleFailed(name, f"returned {type(made).__name__}")
    return [] if made == data else _differences(data, made)


def _differences(data: bytes, made: bytes) -> list[Span]:
    if len(data) == len(made):
        runs = groupby(range(len(data)), lambda at: data[at] == made[at])
        places = [list(run) for is_same, run in runs if not is_same]
        return [(run[0], run[-1] + 1) for run in places]
    shorter = min(len(data), len(made))
    start = next((at for at in range(shorter) if data[at] != made[at]), shorter)
    most = shorter - start
    end = next((at for at in range(most) if data[-1 - at] != made[-1 - at]), most)
    return [(start, len(data) - end)]
