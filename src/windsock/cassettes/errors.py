"""Errors of cassettes: files that cannot be used, and traffic that differs from what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

from windsock.errors import PeerError, UsageError
from windsock.recording import preview
from windsock.redaction import masked

__all__ = ["RENEW", "CassetteError", "CassetteOutdated", "NearestLine", "UnmatchedTraffic", "Unplayed"]

RENEW = "record it again, in tests with --windsock-cassettes=rewrite"


class CassetteError(UsageError):
    """A cassette cannot be read, written or replayed. `path` is the file, `line` the number of a line in it, or None.

    `why` says what is wrong, and what to do.
    """

    def __init__(self, path: str, why: str, line: int | None = None) -> None:
        self.path = path
        self.line = line
        self.why = why
        where = "" if line is None else f", line {line}"
        super().__init__(f"cassette {path}{where}: {why}")


class NearestLine:
    """The recorded message that received bytes came closest to: where it is, and where they differ.

    `line` is its number in the file; `offset` is the first byte that differs.
    """

    def __init__(self, line: int, offset: int, expected: bytes, why: str) -> None:
        self.line = line
        self.offset = offset
        self.expected = expected
        self.why = why


class UnmatchedTraffic(PeerError):
    """A client of a replay sent something that the cassette does not have in this place.

    `path` is the cassette, `received` what came, `connection` the number of the connection in the cassette, or None.
    `line` is the number of the line that came closest, `expected` its message, and `offset` the first byte that
    differs; all three are None if there is no such line.
    """

    def __init__(
        self, path: str, received: bytes, connection: int | None, miss: NearestLine | None, why: str = ""
    ) -> None:
        self.path = path
        self.received = received
        self.connection = connection
        self.line: int | None = None if miss is None else miss.line
        self.offset: int | None = None if miss is None else miss.offset
        self.expected: bytes | None = None if miss is None else miss.expected
        of = "" if connection is None else f" on connection {connection}"
        what = f"received {preview(masked(received))}{of}" if received else why
        nearest = "" if miss is None else f"\n  nearest, line {miss.line}: {preview(miss.expected)}\n  {miss.why}"
        reason = f": {why}" if why and received else ""
        super().__init__(f"cassette {path}: {what}, which was not recorded{reason}{nearest}\n  {RENEW}")


class Unplayed(PeerError):
    """A cassette has messages that no client sent. `path` and `line` say where the first of them is, `what` all."""

    def __init__(self, path: str, line: int, why: str) -> None:
        self.path = path
        self.line = line
        self.what: str = f"cassette {path}, line {line}: {why}"
        super().__init__(f"{self.what}\n  (if that is expected, pass allow_unused=True)")


class CassetteOutdated(PeerError):
    """A real server does not say any more what was recorded of it. `path` is the cassette, `line` where it differs.

    `why` is the first difference, `diff` the lines of a diff from the recorded conversation to that of now.
    """

    def __init__(self, path: str, line: int | None, why: str, diff: Sequence[str]) -> None:
        self.path = path
        self.line = line
        self.why = why
        self.diff: tuple[str, ...] = tuple(diff)
        where = "" if line is None else f", line {line}"
        self.what: str = f"cassette {path}{where}, no longer matches the real server: {why}"
        super().__init__("\n  ".join([self.what, *diff, RENEW]))
