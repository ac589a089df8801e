"""Recordings as files for other programs: captures for Wireshark, JSON lines, and transcripts."""

from windsock.captures.capture import write_capture
from windsock.captures.files import make_directory
from windsock.captures.json_lines import write_events
from windsock.captures.key_log import key_log_of_environment
from windsock.captures.text import write_transcript
from windsock.recording.transcript.subjects import CaptureSubject, subject_of

__all__ = [
    "CaptureSubject",
    "key_log_of_environment",
    "make_directory",
    "subject_of",
    "write_capture",
    "write_events",
    "write_transcript",
]
