"""The steps a peer can take, all from one place."""

from windsock.steps.base import Event, Step
from windsock.steps.branching import Loop, OneOf
from windsock.steps.checks import Expected
from windsock.steps.doing import (
    READ_BUFFER,
    Close,
    HalfClose,
    Pause,
    ReadRate,
    Reset,
    Resume,
    Send,
    Stall,
    StartTLS,
    StopTLS,
    Urgent,
    WaitFor,
)
from windsock.steps.expecting import Expect, ExpectEnd, ExpectEof, ExpectReset, ExpectSilence

__all__ = [
    "READ_BUFFER",
    "Close",
    "Event",
    "Expect",
    "ExpectEnd",
    "ExpectEof",
    "ExpectReset",
    "ExpectSilence",
    "Expected",
    "HalfClose",
    "Loop",
    "OneOf",
    "Pause",
    "ReadRate",
    "Reset",
    "Resume",
    "Send",
    "Stall",
    "StartTLS",
    "Step",
    "StopTLS",
    "Urgent",
    "WaitFor",
]
