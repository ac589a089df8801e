"""Fake and real servers for tests of anything that talks over a socket."""

from windsock.errors import PeerError, StillRunning, UsageError, WaitTimeout, WindsockError
from windsock.harness import RunningServer, StartError, Unsupported, serving
from windsock.recording import (
    Chunk,
    Connection,
    Delimiter,
    Direction,
    Ending,
    FixedSize,
    HandlerDied,
    HandlerErrors,
    HandlerFailed,
    LengthPrefix,
    Lines,
    RecordedRequest,
    RequestMismatch,
    Requests,
    RequestTimeout,
    TruncatedDatagram,
    UntilEof,
)
from windsock.scripts import UnexpectedMessage

__all__ = [
    "Chunk",
    "Connection",
    "Delimiter",
    "Direction",
    "Ending",
    "FixedSize",
    "HandlerDied",
    "HandlerErrors",
    "HandlerFailed",
    "LengthPrefix",
    "Lines",
    "PeerError",
    "RecordedRequest",
    "RequestMismatch",
    "RequestTimeout",
    "Requests",
    "RunningServer",
    "StartError",
    "StillRunning",
    "TruncatedDatagram",
    "UnexpectedMessage",
    "Unsupported",
    "UntilEof",
    "UsageError",
    "WaitTimeout",
    "WindsockError",
    "serving",
]
