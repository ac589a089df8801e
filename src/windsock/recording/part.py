"""One test's part of the recording of a server that outlives it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Part"]


@dataclass(slots=True, eq=False)
class Part:
    """What is recorded from one checkpoint to the next.

    `name` is the name of the test, `began` is in monotonic seconds. What handlers raise when it `is_over` is late.
    """

    name: str = "its set-up"
    began: float = 0.0
    is_over: bool = False
    has_failed: bool = False
