"""Recordings: connections, requests and errors, recorded as they happen, from threads and processes."""

from windsock.recording.connection import Connection
from windsock.recording.connections import Connections
from windsock.recording.cutter import Cutter
from windsock.recording.errors import (
    FramingError,
    HandlerDied,
    HandlerErrors,
    HandlerFailed,
    MessageTooLong,
    RequestMismatch,
    RequestTimeout,
    TruncatedDatagram,
)
from windsock.recording.events import Chunk, Direction, Ending
from windsock.recording.framing import (
    AsItArrives,
    Delimiter,
    EachRecord,
    FixedSize,
    Framing,
    LengthPrefix,
    Lines,
    UntilEof,
    is_framed,
)
from windsock.recording.framing_choice import default_framing, framing_from
from windsock.recording.in_hand import ConnectionEnded
from windsock.recording.protocol_framing import ProtocolFraming, protocol_of
from windsock.recording.record_marking import RecordMarking
from windsock.recording.recorded_request import RecordedRequest
from windsock.recording.recorder import Recorder
from windsock.recording.requests import Requests, unfinished_words
from windsock.recording.transcript import preview, transcript

__all__ = [
    "AsItArrives",
    "Chunk",
    "Connection",
    "ConnectionEnded",
    "Connections",
    "Cutter",
    "Delimiter",
    "Direction",
    "EachRecord",
    "Ending",
    "FixedSize",
    "Framing",
    "FramingError",
    "HandlerDied",
    "HandlerErrors",
    "HandlerFailed",
    "LengthPrefix",
    "Lines",
    "MessageTooLong",
    "ProtocolFraming",
    "RecordMarking",
    "RecordedRequest",
    "Recorder",
    "RequestMismatch",
    "RequestTimeout",
    "Requests",
    "TruncatedDatagram",
    "UntilEof",
    "default_framing",
    "framing_from",
    "is_framed",
    "preview",
    "protocol_of",
    "transcript",
    "unfinished_words",
]
