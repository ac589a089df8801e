"""Requests from a script's progress to its runner."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from windsock.scripts.step import Step, Waitable

__all__ = ["Act", "Action", "Transmit", "Wait"]

# Named tuples: there is one for each action of a client, and frozen dataclasses take three times as long to create.


class Transmit(NamedTuple):
    """Send all of these bytes before the monotonic time `deadline`."""

    data: bytes
    deadline: float
    is_urgent: bool = False


class Act(NamedTuple):
    """Carry out a step: HalfClose, Close, Reset, Stall, Resume, ReadRate, StartTLS, Forward."""

    step: Step
    deadline: float


class Wait(NamedTuple):
    """Wait for bytes (unless reading is stalled) or for the event, at the latest until the monotonic time `until`."""

    until: float
    event: Waitable | None = None


Action: TypeAlias = Transmit | Act | Wait
