"""What is secret in this process: the usual secrets, those of the configuration, and those of servers and proxies.

All that is shown or written asks here: `masked` for bytes, `text` for sentences. What is masked keeps its length, so
that offsets, sizes and sequence numbers hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol
from weakref import WeakKeyDictionary

from windsock.errors import visible
from windsock.redaction.rules import RuleFailed, SecretRule, Span, joined, rule_of_literal

__all__ = ["forget", "is_in_use", "keep", "line", "mask_of", "masked", "remember", "spans", "text", "use"]

MOST = 1000
"""Secrets that are looked for by themselves, wherever they stand."""


class _Configuration:
    """What is secret besides what servers and proxies say."""

    rules: tuple[SecretRule, ...] = ()
    has_defaults = True
    seen: dict[bytes, None] = {}  # noqa: RUF012  # there is one of it


class Owner(Protocol):
    """A server or a proxy."""

    @property
    def is_stopped(self) -> bool:
        """Whether it does not run any more."""
        ...


_given: WeakKeyDictionary[Owner, tuple[SecretRule, ...]] = WeakKeyDictionary()


def use(rules: Iterable[SecretRule] = (), *, has_defaults: bool = True) -> None:
    """Set what is secret for all servers of the process; `has_defaults`: whether the usual secrets are."""
    _Configuration.rules, _Configuration.has_defaults = tuple(rules), has_defaults


def keep(owner: Owner, rules: tuple[SecretRule, ...]) -> None:
    """Have rules apply as long as a server or proxy exists, also to errors of its clients; see `forget`."""
    _given[owner] = rules


def is_in_use() -> bool:
    """Return whether there are servers or proxies."""
    return bool(_given)


def remember(secret: bytes) -> None:
    """Have a secret that was found in traffic masked in text, wherever its distinctive parts stand."""
    from windsock.redaction.distinctive import distinctive_parts

    seen = _Configuration.seen
    for each in distinctive_parts(secret):
        if len(seen) < MOST:
            seen.setdefault(each)


def forget() -> None:
    """Forget the secrets that were found in traffic, and the rules of servers and proxies that are stopped.

    The traceback of a failed test may keep them for long.
    """
    _Configuration.seen.clear()
    for known in _given.keyrefs():
        if (owner := known()) is not None and owner.is_stopped:
            del _given[owner]


def masked(data: bytes) -> bytes:
    """Return a message with its secrets masked; all of it if a function of the test's author fails."""
    try:
        found = spans(data)
    except RuleFailed as failure:
        return mask_of(len(data), f"[withheld: {failure}]")
    return _with_masks(data, found) if found else data


def text(sentence: str) -> str:
    """Return text with secrets masked, also those in the bytes that it shows as literals."""
    data = sentence.encode(errors="surrogatepass")
    try:
        found = spans(data, is_shown=True)
    except RuleFailed as failure:
        return f"(withheld: {failure})"
    return _decoded(_with_masks(data, found)) if found else sentence


def _decoded(data: bytes) -> str:
    """Return text as it was, and what is left of a character that a secret shares as an escape."""
    try:
        return data.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return data.decode(errors="backslashreplace")


def line(words: str) -> str:
    """Return text for one line: with secrets masked, and control characters and lone surrogates escaped."""
    return visible(text(words))


def spans(data: bytes, *, is_shown: bool = False) -> list[Span]:
    """Return where the secrets are, in order; touching ones are one. `is_shown`: the data is text about bytes.

    Raises RuleFailed. Looking for a few words costs less than looking for all that may follow them.
    """
    lower = data.lower()
    is_there: dict[bytes | None, bool] = {None: True}
    matches: list[Span] = []
    for rule in _rules(is_shown=is_shown):
        if rule.needle not in is_there:
            is_there[rule.needle] = rule.needle is not None and rule.needle in lower
        if is_there[rule.needle]:
            matches += rule.find(data)
    return joined(matches)


def mask_of(size: int, words: str = "") -> bytes:
    """Return what stands for secret bytes: as many, with their number if there is room."""
    for each in (words, f"[redacted {size} B]", "[redacted]"):
        if each and len(each.encode()) <= size:
            return each.encode().ljust(size, b"*")
    return b"*" * size


def _rules(*, is_shown: bool) -> Iterator[SecretRule]:
    if _Configuration.has_defaults:
        from windsock.redaction.defaults import default_rules

        yield from default_rules(is_shown=is_shown)
    yield from _Configuration.rules
    for each in list(_given.values()):
        yield from each
    if is_shown:
        yield from map(rule_of_literal, islice(_Configuration.seen, MOST))


def _with_masks(data: bytes, found: Iterable[Span]) -> bytes:
    made = bytearray(data)
    for start, end in found:
        made[start:end] = mask_of(end - start)
    return bytes(made)
