"""The answers of a fake that all tests on a server share, and which of its answers are one test's own."""

from __future__ import annotations

from dataclasses import dataclass

from windsock.fakes.replies import Answer
from windsock.fakes.reply_queue import Queue
from windsock.fakes.rules import Rule

__all__ = ["NOTHING_SHARED", "SharedAnswers"]


@dataclass(frozen=True, slots=True)
class SharedAnswers:
    """What there was before the part of one test began; each part begins with it, and need not use it."""

    rules: tuple[Rule, ...] = ()
    queue: Queue | None = None
    replies: tuple[tuple[Answer, int], ...] = ()
    """Those of the queue."""
    every: Answer | None = None
    echoes: bool = False
    plays_too: bool = False
    counters: int = 0
    """The number of counters that they have."""


NOTHING_SHARED = SharedAnswers()
