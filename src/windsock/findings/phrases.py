"""Parts of sentences: numbers with their nouns, durations, lists of names."""

from __future__ import annotations

from collections.abc import Sequence

from windsock.recording import preview
from windsock.redaction import masked

__all__ = ["counted_noun", "either", "listed", "seconds", "shown"]

SHOWN = 32
"""Bytes of data that a sentence shows."""


def counted_noun(count: int, noun: str) -> str:
    """Return "1 piece", "2 pieces"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def shown(data: bytes) -> str:
    """Return data as a literal, with secrets masked, cut to a few bytes."""
    return preview(masked(data), SHOWN)


def seconds(duration: float) -> str:
    """Return a duration in seconds, with two digits that count."""
    return f"{max(0.0, duration):.2g} s"


def listed(names: Sequence[str]) -> str:
    """Return "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def either(names: Sequence[str]) -> str:
    """Return "a or b"."""
    return " or ".join(names)
