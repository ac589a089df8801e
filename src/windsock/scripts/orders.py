"""The requests of a script's progress to its runner."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from windsock.scripts.step import Step, Waitable

__all__ = ["Act", "Action", "Transmit", "Wait"]

# Named tuples: one is made for each thing that a client does, and frozen dataclasses take three times as long to make.


class Transmit(NamedTuple):
    """Send these bytes, all of them, until the monotonic time `deadline`."""

    data: bytes
    deadline: float
    is_urgent: bool = False


class Act(NamedTuple):
    """Do what a step says: HalfClose, Close, Reset, Stall, Resume, ReadRate, StartTLS."""

    step: Step
    deadline: float


class Wait(NamedTuple):
    """Wait for bytes (unless reading is stalled) or for the event, until the monotonic time `until` at the latest."""

    until: float
    event: Waitable | None = None


Action: TypeAlias = Transmit | Act | Wait
