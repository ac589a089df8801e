"""What Hypothesis shows of an example: the kinds of faults that have fired, and of one that fails the transcript."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windsock.faults import FaultHandle

__all__ = ["tell_hypothesis"]


def tell_hypothesis(handles: Iterable[FaultHandle], transcript: Iterable[str] = ()) -> None:
    """Give the test of Hypothesis that runs, if one does, the kinds that have fired (`event()`), and notes."""
    hypothesis = sys.modules.get("hypothesis")
    if hypothesis is None or not hypothesis.currently_in_test_context():
        return
    for kind in {type(each.fault).__name__ for each in handles if each.fired}:
        hypothesis.event(f"fired: {kind}")
    lines = "\n".join(transcript)
    if lines:
        hypothesis.note(lines)
