"""Cassettes: conversations with a real server, kept in a text file and replayed without it."""

from windsock.cassettes.capture_file import CaptureError
from windsock.cassettes.cassette import Cassette
from windsock.cassettes.draft import write_cassette
from windsock.cassettes.errors import CassetteError, CassetteOutdated, UnmatchedTraffic, Unplayed
from windsock.cassettes.header import Header
from windsock.cassettes.importing import CaptureImport, import_capture
from windsock.cassettes.line import CassetteLine, Message, What
from windsock.cassettes.recorder import CassetteRecorder, record
from windsock.cassettes.replayer import Replay, replay
from windsock.cassettes.verifier import CassetteVerifier, verify

__all__ = [
    "CaptureError",
    "CaptureImport",
    "Cassette",
    "CassetteError",
    "CassetteLine",
    "CassetteOutdated",
    "CassetteRecorder",
    "CassetteVerifier",
    "Header",
    "Message",
    "Replay",
    "UnmatchedTraffic",
    "Unplayed",
    "What",
    "import_capture",
    "record",
    "replay",
    "verify",
    "write_cassette",
]
