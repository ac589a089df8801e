"""Whether what a client sends is what was recorded: exactly, or but for the parts that vary. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from windsock.cassettes.line import Message
from windsock.errors import UsageError
from windsock.fakes.near_miss import difference
from windsock.recording import preview
from windsock.redaction import masked
from windsock.redaction.rules import RuleFailed, SecretRule, Span, joined, rules_from
from windsock.scripts.matching import first_difference

__all__ = ["Expected", "Matching"]

PLACE = b"\xff\x00windsock any value\x00\xff"
"""What stands for a part that varies while `normalise` is called."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A recorded request: `literals` are the runs of bytes between the places that may have any value."""

    literals: tuple[bytes, ...]
    message: bytes
    normalise: Callable[[bytes], bytes] | None = None

    @property
    def is_exact(self) -> bool:
        """Return whether only these very bytes match."""
        return len(self.literals) == 1 and self.normalise is None

    def fits(self, received: bytes) -> bool:
        """Return whether a whole message matches."""
        received = self._normalised(received)
        if len(self.literals) == 1:
            return received == self.literals[0]
        return self._regex(b".*").fullmatch(received) is not None

    def begins(self, received: bytes) -> int | None:
        """Return how many of the bytes at the beginning match; None for none, or not yet.

        A place takes as few bytes as possible, but at the end all there is.
        """
        if len(self.literals) == 1:
            return len(self.literals[0]) if received.startswith(self.literals[0]) else None
        places = self._regex(b".+?" if self.literals[-1] else b".+")
        match = places.match(received)
        return None if match is None else match.end()

    def can_begin(self, received: bytes) -> bool:
        """Return whether more bytes may make a match of these."""
        return first_difference(self.literals[0], received) == min(len(self.literals[0]), len(received))

    def miss(self, received: bytes) -> tuple[int, str]:
        """Return the first byte at which a message differs, and how, in words."""
        shown = self._normalised(received)
        note = " (after normalise=)" if self.normalise is not None else ""
        offset, why = difference(self.literals[0], shown)
        if len(self.literals) == 1 or offset < len(self.literals[0]):
            return offset, why + note
        for literal in self.literals[1:]:
            found = shown.find(literal, offset)
            if found < 0:
                return offset, f"from byte {offset} on there is no {preview(literal)}{note}"
            offset = found + len(literal)
        return offset, f"the message continues at byte {offset} with {preview(masked(shown)[offset:])}{note}"

    def _normalised(self, received: bytes) -> bytes:
        return received if self.normalise is None else self.normalise(received)

    def _regex(self, place: bytes) -> re.Pattern[bytes]:
        return re.compile(place.join(map(re.escape, self.literals)), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Matching:
    """What may differ: `ignore` finds parts that vary, `normalise` makes equal what is equal to the test."""

    ignore: tuple[SecretRule, ...] = ()
    normalise: Callable[[bytes], bytes] | None = None

    @classmethod
    def of(cls, ignore: Any, normalise: Any) -> Matching:
        """Return it for the values of `ignore=` and `normalise=`. Raises UsageError for what they cannot be."""
        try:
            rules = rules_from(ignore)
        except UsageError as error:
            raise UsageError(str(error).replace("redact=", "ignore=")) from None
        if normalise is None:
            return cls(rules)
        if not callable(normalise) or not isinstance(normalise(b""), bytes):
            raise UsageError(f"normalise={normalise!r}: expected a function that takes any bytes, and returns bytes")
        return cls(rules, normalise)

    @property
    def is_exact(self) -> bool:
        """Return whether nothing may differ but secrets."""
        return not self.ignore and self.normalise is None

    def expected(self, message: Message) -> Expected:
        """Return what a recorded request is matched with."""
        if not self.ignore and not message.secrets and self.normalise is None:
            return Expected((message.data,), message.data)
        literals = _between(message.data, joined([*message.secrets, *self._varying(message.data)]))
        if self.normalise is not None:
            literals = self.normalise(PLACE.join(literals)).split(PLACE)
        return Expected(tuple(literals), message.data, self.normalise)

    def _varying(self, data: bytes) -> list[Span]:
        """Return where parts are that vary. Raises UsageError if a function of the test's author fails."""
        try:
            return [span for rule in self.ignore for span in rule.find(data)]
        except RuleFailed as failure:
            raise UsageError(f"ignore={failure.name}: it {failure.what}") from failure.__cause__


def _between(data: bytes, spans: Sequence[Span]) -> list[bytes]:
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(data)]
    return [data[start:end] for start, end in zip(starts, ends, strict=True)]
