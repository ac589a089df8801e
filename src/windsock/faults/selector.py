"""Selectors: where a fault applies."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

from windsock.errors import UsageError
from windsock.faults.checks import count, one_of, optional_count, probability, seconds, wrong

__all__ = ["ConnectionInfo", "Connections", "First", "Numbers", "Selector", "first", "holds", "selector_from"]

DIRECTIONS = ("upstream", "downstream", "both")


@dataclass(frozen=True, slots=True)
class First:
    """The first `n` connections that the fault meets; those that ended before it was installed do not count."""

    n: int

    def __post_init__(self) -> None:
        count("first", 1, "connections", n=self.n)


def first(n: int) -> First:
    """Return a selection of the first `n` connections that a fault meets, for `connections=`."""
    return First(n)


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """A connection as a predicate of `connections=` gets it: its index from 0, and the client's address if known."""

    index: int
    peer: Any = None


Numbers: TypeAlias = int | range | slice | Collection[int]
Connections: TypeAlias = Numbers | First | Callable[[ConnectionInfo], object]
Match: TypeAlias = bytes | re.Pattern[bytes] | Callable[[bytes], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """The traffic that a fault applies to. All given conditions must hold.

    `direction`: "upstream" (client to server), "downstream" or "both". `connections`: an index from 0, a slice, range
    or collection of them, `first(n)`, or a predicate of `ConnectionInfo`. `after`: seconds since the fault met the
    connection. `after_bytes`: bytes of that direction since then; a piece of data is split there. `match`: bytes, a
    regular expression of bytes, or a predicate of the piece; on a stream, bytes and expressions are also found across
    two pieces, and the piece in which the match ends is selected; a pattern of a protocol makes each message a piece of
    its own, for which data waits. `nth` (a number from 1, a slice, range or collection
    of them) and `every` count what meets those conditions: pieces of data or datagrams, in each direction of each
    connection. `probability` is drawn for what is left then. `times` is the most often that the fault fires, over all
    connections.
    """

    direction: str = "both"
    connections: Connections | None = None
    nth: Numbers | None = None
    every: int | None = None
    times: int | None = None
    after_bytes: int | None = None
    after: float | None = None
    match: Match | None = None
    probability: float | None = None

    def __post_init__(self) -> None:
        one_of(self, DIRECTIONS, direction=self.direction)
        optional_count(self, 1, every=self.every, times=self.times)
        optional_count(self, 0, "bytes", after_bytes=self.after_bytes)
        if self.after is not None:
            seconds(self, after=self.after)
        if self.probability is not None:
            probability(self, probability=self.probability)
        if self.match is not None and not (
            callable(self.match) or isinstance(self.match, bytes) or _is_pattern(self.match)
        ):
            raise wrong(
                self,
                "match",
                self.match,
                "bytes, a regular expression of bytes, a function of bytes, or a pattern of a protocol: redis.reply()",
            )
        if self.match == b"":
            raise wrong(self, "match", self.match, "at least one byte; leave it out to match everything")
        check_numbers(self, 0, connections=self.connections)
        check_numbers(self, 1, nth=self.nth)
        if self.nth is not None and self.every is not None:
            raise UsageError(
                f"Selector: nth={self.nth!r} with every={self.every!r}: expected one of them; "
                f"write both as nth=slice(first, None, step)"
            )

    @property
    def is_about_items(self) -> bool:
        """True if an item has to pass before the fault can apply."""
        return not (self.nth is None and self.every is None and self.match is None and self.after_bytes is None)

    @property
    def is_open(self) -> bool:
        """True if the selector selects everything on a chosen connection, at all times."""
        return not self.is_about_items and self.after is None and self.times is None and self.probability is None

    def has_connection(self, info: ConnectionInfo, base: int) -> bool:
        """Return whether it selects the connection; `base` is the first index that counts for `first(n)`."""
        chosen = self.connections
        if chosen is None:
            return True
        if isinstance(chosen, First):
            return base <= info.index < base + chosen.n
        if callable(chosen):
            return bool(chosen(info))
        return holds(chosen, info.index)


def _is_pattern(value: object) -> bool:
    return isinstance(value, re.Pattern) and isinstance(value.pattern, bytes)


def holds(numbers: Numbers, number: int) -> bool:
    """Return whether a number is among the numbers."""
    if isinstance(numbers, int):
        return number == numbers
    if isinstance(numbers, slice):
        start, step = numbers.start or 0, numbers.step or 1
        return number >= start and (numbers.stop is None or number < numbers.stop) and (number - start) % step == 0
    return number in numbers


def check_numbers(where: object, least: int, **values: Any) -> None:
    """Check indices: a whole number, or a slice or collection of them, none below `least`."""
    for name, value in values.items():
        if value is None or isinstance(value, First) or (least == 0 and callable(value)):
            continue
        expected = f"a whole number from {least} up, or a slice, range or collection of such numbers"
        expected += "" if least else ", first(n), or a function of a connection"
        if isinstance(value, slice):
            parts = [value.start if value.start is not None else least, value.stop, value.step]
            if value.step is not None and not (isinstance(value.step, int) and value.step > 0):
                raise wrong(where, name, value, expected)
            numbers: Collection[Any] = [part for part in parts if part is not None]
        elif isinstance(value, Collection) and not isinstance(value, str | bytes):
            numbers = [min(value), max(value)] if isinstance(value, range) and value else value
            if not value:
                raise wrong(where, name, value, expected + "; an empty one selects nothing")
        else:
            numbers = [value]
        if any(not isinstance(each, int) or isinstance(each, bool) or each < least for each in numbers):
            raise wrong(where, name, value, expected)


def selector_from(options: dict[str, Any]) -> Selector:
    """Return the selector for keywords, or the one passed as `selector=`. Raises UsageError for unknown keywords."""
    given = options.pop("selector", None)
    if given is not None:
        if options or not isinstance(given, Selector):
            raise UsageError(f"selector={given!r} with {options}: expected a Selector(...) alone, or its keywords")
        return given
    known = tuple(Selector.__dataclass_fields__)
    unknown = [name for name in options if name not in known]
    if unknown:
        raise UsageError(
            f"{unknown[0]}={options[unknown[0]]!r}: expected a selector's keyword, one of {', '.join(known)}"
        )
    return Selector(**options)
