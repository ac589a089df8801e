"""All the steps that a peer can take."""

from windsock.scripts.actions import (
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
from windsock.scripts.checks import Expected
from windsock.scripts.control import Loop, OneOf
from windsock.scripts.expectations import Expect, ExpectEnd, ExpectEof, ExpectReset, ExpectSilence, ExpectUrgent
from windsock.scripts.forward import Forward
from windsock.scripts.step import Step, Waitable

__all__ = [
    "READ_BUFFER",
    "Close",
    "Expect",
    "ExpectEnd",
    "ExpectEof",
    "ExpectReset",
    "ExpectSilence",
    "ExpectUrgent",
    "Expected",
    "Forward",
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
    "Waitable",
]
