"""What happened: connections, requests, errors; recorded while it happens, from threads and processes alike."""

from windsock.recording.connection import Connection
from windsock.recording.connections import Connections
from windsock.recording.errors import (
    FramingError,
    HandlerDied,
    HandlerErrors,
    HandlerFailed,
    RequestMismatch,
    RequestTimeout,
    TruncatedDatagram,
)
from windsock.recording.events import Chunk, Direction, Ending
from windsock.recording.exchanges import RecordedRequest
from windsock.recording.framing import (
    Cutter,
    Delimiter,
    FixedSize,
    Framing,
    LengthPrefix,
    Lines,
    UntilEof,
    framing_from,
)
from windsock.recording.recorder import Recorder
from windsock.recording.requests import Requests
from windsock.recording.transcript import preview, transcript

__all__ = [
    "Chunk",
    "Connection",
    "Connections",
    "Cutter",
    "Delimiter",
    "Direction",
    "Ending",
    "FixedSize",
    "Framing",
    "FramingError",
    "HandlerDied",
    "HandlerErrors",
    "HandlerFailed",
    "LengthPrefix",
    "Lines",
    "RecordedRequest",
    "Recorder",
    "RequestMismatch",
    "RequestTimeout",
    "Requests",
    "TruncatedDatagram",
    "UntilEof",
    "framing_from",
    "preview",
    "transcript",
]
